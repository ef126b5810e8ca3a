import { setTimeout as pause } from 'node:timers/promises';
import { Etcd3, type Campaign } from 'etcd3';
import type { Contender, Measure } from './alternate.js';
import { GoBench } from './go-bench.js';
import type { LibraryInstance } from './library.js';

/**
 * From a leader's resignation to the win of the candidate that was waiting, which had
 * joined `settleMs` before: two connections that take turns, as in two processes.
 */
export function handOverMeasure(
  endpoint: string,
  [a, b]: [LibraryInstance, LibraryInstance],
  settleMs: number,
  atMost: number,
): Measure {
  const contenders: Contender[] = [
    { name: 'plain etcd3', run: () => plainHandOver(endpoint, settleMs) },
    { name: 'library', run: libraryHandOver(a, b, settleMs) },
  ];
  const go = GoBench.fromEnv();
  if (go) contenders.push({ name: 'Go clientv3', run: () => goHandOver(go, endpoint, settleMs) });
  return {
    title: `hand-over, the waiting candidate joined ${settleMs} ms before`,
    unit: 'ms',
    rounds: settleMs > 100 ? 15 : 30,
    contenders,
    atMost,
  };
}

function libraryHandOver(
  a: LibraryInstance,
  b: LibraryInstance,
  settleMs: number,
): () => Promise<number> {
  const election = `hand-over-${settleMs}`;
  let [current, next] = [a, b];
  let term: Promise<{ resign(): Promise<void> }> | undefined;
  return async () => {
    const leading = await (term ??= current.elections.campaign(election));
    let wonAt = 0;
    const won = next.elections.campaign(election).then((own) => {
      wonAt = performance.now();
      return own;
    });
    await pause(settleMs);
    const start = performance.now();
    await Promise.all([leading.resign(), won]);
    term = won;
    [current, next] = [next, current];
    return wonAt - start;
  };
}

async function plainHandOver(endpoint: string, settleMs: number): Promise<number> {
  const [first, second] = [new Etcd3({ hosts: endpoint }), new Etcd3({ hosts: endpoint })];
  try {
    const leading = first.election('bench/plain', 60).campaign('a');
    await elected(leading);
    const waiting = second.election('bench/plain', 60).campaign('b');
    const won = elected(waiting).then(() => performance.now());
    await pause(settleMs);
    const start = performance.now();
    await leading.resign();
    const took = (await won) - start;
    await waiting.resign();
    return took;
  } finally {
    first.close();
    second.close();
  }
}

function elected(campaign: Campaign): Promise<void> {
  return new Promise((resolve, reject) => {
    campaign.once('elected', resolve);
    campaign.once('error', reject);
  });
}

async function goHandOver(go: GoBench, endpoint: string, settleMs: number): Promise<number> {
  // It makes 20 more to warm up.
  const { p50_us } = await go.run('elect-handover', endpoint, { n: 1, settle: settleMs });
  return p50_us / 1000;
}
