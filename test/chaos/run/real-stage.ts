import { SeededRandom } from '../../support/seeded-random.js';
import { tempFolder } from '../../support/temp-folder.js';
import { ChaosFleet } from '../fleet/chaos-fleet.js';
import { type AdminAccess, adminClient } from '../history/admin-access.js';
import { finalList } from '../history/final-list.js';
import type { EtcdNote, NemesisNote } from '../history/note.js';
import { TruthRecorder } from '../history/truth-recorder.js';
import { faultsFor } from '../nemesis/faults/index.js';
import { Nemesis } from '../nemesis/nemesis.js';
import { RealChaosCluster } from '../nemesis/real-chaos-cluster.js';
import { WORKS } from '../works/index.js';
import type { RunOptions } from './run-options.js';
import type { Stage } from './stage.js';

const NAMESPACE = 'chaos';
const WORKERS = 5;
const TTL_SECONDS = 2;

/** Three members of etcd, processes that work on them, a raw watch of what they do, and the nemesis. */
export async function openRealStage(options: RunOptions): Promise<Stage> {
  const open: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    const failed: unknown[] = [];
    for (const close of open.splice(0).reverse()) {
      await close().catch((error: unknown) => failed.push(error));
    }
    if (failed.length > 0) throw new AggregateError(failed, 'The stage could not be cleared.');
  };
  try {
    return await build(options, (close) => void open.push(close), stop);
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

async function build(
  options: RunOptions,
  onStop: (close: () => Promise<unknown>) => void,
  stop: () => Promise<void>,
): Promise<Stage> {
  const { line, system, security, mutant, ttlSeconds = TTL_SECONDS, workers = WORKERS } = options;
  const random = new SeededRandom(options.seed);
  const cluster = await RealChaosCluster.start({
    ...{ line, prefix: `${NAMESPACE}/` },
    ...(security && { security }),
  });
  onStop(() => cluster.stop());

  const access: AdminAccess = {
    ...{ endpoints: cluster.members.map(({ server }) => server.endpoint), namespace: NAMESPACE },
    // Its own calls go without TLS in any case, so that no certificate of the nemesis can shut the run out.
    ...(cluster.users && { auth: cluster.users.root }),
  };
  const truth = new TruthRecorder(access);
  onStop(() => truth.stop());
  await truth.start();
  cluster.compactionLimit = () => truth.revision;

  const folder = options.folder ?? tempFolder('chaos');
  const works = WORKS.filter(
    // However few are asked for: that processes end, and without an error, is told by one of them.
    ({ name, parts }) =>
      parts[system] && (name === 'processes' || (options.works?.includes(name) ?? true)),
  );
  const fleet = new ChaosFleet({
    ...{ folder, system, works, random },
    members: cluster.members.map(({ server }) => server.address),
    access: {
      ...{ namespace: NAMESPACE, ttlSeconds },
      ...(cluster.users && { auth: cluster.users.worker }),
      ...(cluster.caFile !== null && { caFile: cluster.caFile }),
    },
    ...(mutant !== undefined && { mutant }),
  });
  onStop(() => fleet.stop());
  await fleet.start(workers);

  const book = fleet.book.of<NemesisNote>('nemesis');
  const leaders = fleet.book.of<EtcdNote>('etcd');
  truth.onTerm = (term) => leaders.note({ type: 'term', term });
  const faults = faultsFor(cluster, options.faults);
  const ttlMs = ttlSeconds * 1000;
  const nemesis = new Nemesis({ cluster, fleet, random, ttlMs, book, faults });
  return {
    ...{ works, folder, book, fleet, compactions: cluster.compactions, stop },
    ...{ etcdVersion: await versionOf(access), ttlMs, faults, lacks: cluster.lacks },
    get problems() {
      return [...nemesis.problems, ...fleet.problems];
    },
    truth: {
      events: truth.events,
      missed: truth.missed,
      finalList: async () => {
        await truth.complete();
        return finalList(access);
      },
    },
    harm: (signal) => nemesis.run(signal),
    heal: async () => {
      await Promise.all([cluster.heal(), fleet.heal()]);
    },
  };
}

async function versionOf(access: AdminAccess): Promise<string> {
  using etcd = adminClient(access, access.endpoints);
  return (await etcd.client.maintenance.status()).version;
}
