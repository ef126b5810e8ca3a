import { setTimeout as pause } from 'node:timers/promises';
import type { Etcd3 } from 'etcd3';
import type { LockOptions } from '../../libs/etcd-coordination/src/lock/lock-options.js';
import type { Contender, Measure } from './alternate.js';
import { GoBench } from './go-bench.js';
import type { LibraryInstance } from './library.js';
import { LockProcesses } from './lock-processes.js';
import { takeTurns, type Turns } from './lock-turns.js';

/** How long turns are counted, and how long they warm up before, in seconds. */
const COUNTED = 2;
const WARM_UP = 0.7;

const FREE_TURNS = 200;
const KEPT_TURNS = 100_000;
const HELD = 10_000;

/** Two numbers that say all of how some workers took turns. */
interface Contest {
  /** Turns a second, of all. */
  readonly rate: number;
  /** The busiest worker's turns over the least busy one's. */
  readonly spread: number;
}

/**
 * Locks, beside etcd3's and Go's `concurrency.Mutex`. Every run has a lock of its own: deleted keys
 * stay in etcd's index until compaction, and would slow down whoever comes later.
 *
 * etcd3 has no part where workers contend: its lock has no queue, and leaks a lease with every
 * attempt that fails, which would weigh on the others.
 */
export class LockMeasures {
  private readonly go = GoBench.fromEnv();
  private readonly processes: LockProcesses;
  private runs = 0;

  constructor(
    private readonly endpoint: string,
    private readonly plain: Etcd3,
    /** Two connections that stand for two processes. */
    private readonly pair: readonly [LibraryInstance, LibraryInstance],
  ) {
    this.processes = new LockProcesses(endpoint, 4);
  }

  get all(): Measure[] {
    return [
      this.freeLock(),
      this.requestsOfFreeLock(),
      this.keptLock(),
      this.keptLockAskedFor(),
      this.differentLocks(64),
      this.oneLock(16, 1, 80),
      this.oneLock(64, 1, 20),
      this.oneLock(16, 4, 10),
      this.oneLock(16, 1, 6, { queue: 'etcd' }),
      this.fairness(64, 1),
      this.fairness(16, 4),
      this.fairness(16, 1, { queue: 'etcd' }),
      this.manyHeld(),
      this.leasesOfManyHeld(),
    ];
  }

  close(): Promise<void> {
    return this.processes.close();
  }

  private freeLock(): Measure {
    const contenders: Contender[] = [
      {
        name: 'plain etcd3',
        run: () => perTurn(FREE_TURNS, () => this.plainTurn('bench/plain/free-lock')),
      },
      {
        name: 'library',
        run: () => perTurn(FREE_TURNS, () => this.turn('free')),
      },
    ];
    const { go } = this;
    if (go) {
      const run = async () => (await go.run('lock-seq', this.endpoint, this.goOptions(1))).p50_us;
      contenders.push({ name: 'Go clientv3, p50', run });
    }
    return {
      title: 'a free lock taken and released by one process',
      unit: 'µs/turn',
      rounds: 10,
      contenders,
      atMostRatio: 0.6,
    };
  }

  private requestsOfFreeLock(): Measure {
    const { client } = this.pair[0];
    const run = async () => {
      const before = client.requestsSent;
      await perTurn(FREE_TURNS, () => this.turn('free'));
      return (client.requestsSent - before) / FREE_TURNS;
    };
    return {
      title: 'requests of a free lock taken and released',
      unit: 'requests/turn',
      rounds: 2,
      contenders: [{ name: 'library', run }],
      atMost: 2,
    };
  }

  private keptLock(): Measure {
    return {
      title: `a lock kept while nobody else wants it, ${KEPT_TURNS} turns in a row`,
      unit: 'µs/turn',
      rounds: 30,
      contenders: [
        {
          name: 'library',
          run: () => perTurn(KEPT_TURNS, () => this.turn('kept', { keep: true })),
        },
      ],
      atMost: 1,
    };
  }

  private keptLockAskedFor(): Measure {
    let [holder, asking] = this.pair;
    const options = { keep: true };
    const run = async () => {
      await (await holder.locks.acquire('kept-and-asked-for', options)).release();
      // As long as it takes to forget that somebody else asked.
      await pause(20);
      const start = performance.now();
      const handle = await asking.locks.acquire('kept-and-asked-for', options);
      const took = performance.now() - start;
      await handle.release();
      [holder, asking] = [asking, holder];
      return took;
    };
    return {
      title: 'a lock that one process keeps, until another that asks has it',
      unit: 'ms',
      rounds: 50,
      contenders: [{ name: 'library', run }],
      atMost: 10,
    };
  }

  private differentLocks(workers: number): Measure {
    const contenders: Contender[] = [
      {
        name: 'library',
        run: async () => {
          const locks = Array.from({ length: workers }, (_, i) => `different/${i}`);
          const counts = await takeTurns(this.pair[0].locks, { ...window(), workers, lock: locks });
          return contest(counts).rate;
        },
      },
      {
        name: 'plain etcd3',
        run: async () => {
          const until = performance.now() + COUNTED * 1000;
          let turns = 0;
          const work = async (worker: number) => {
            for (; performance.now() < until; turns += 1) {
              await this.plainTurn(`bench/plain/different-lock/${worker}`);
            }
          };
          await Promise.all(Array.from({ length: workers }, (_, i) => work(i)));
          return turns / COUNTED;
        },
      },
    ];
    const { go } = this;
    if (go) {
      const run = async () =>
        (await go.run('lock-par', this.endpoint, this.goOptions(workers))).ops_s;
      contenders.unshift({ name: 'Go clientv3', run });
    }
    return {
      title: `${workers} different locks at once, taken and released`,
      unit: 'turns/s',
      rounds: 4,
      contenders,
      // Beside etcd3 alone there is no target.
      ...(go && { atLeastRatio: 1.3 }),
    };
  }

  private oneLock(
    workers: number,
    processes: number,
    atLeastRatio: number,
    options: LockOptions = {},
  ): Measure {
    return {
      title: `one lock, ${contestants(workers, processes, options)}`,
      unit: 'turns/s',
      rounds: 4,
      contenders: this.contenders(workers, processes, options, 'rate'),
      atLeastRatio,
    };
  }

  private fairness(workers: number, processes: number, options: LockOptions = {}): Measure {
    const who = contestants(workers, processes, options);
    return {
      title: `one lock, ${who}: the busiest worker's turns over the least busy one's`,
      unit: '×',
      rounds: 3,
      contenders: this.contenders(workers, processes, options, 'spread'),
      atMost: 1.1,
    };
  }

  private manyHeld(): Measure {
    const run = async () => {
      const start = performance.now();
      const release = await this.holdMany();
      const took = performance.now() - start;
      await release();
      return took;
    };
    return {
      title: `${HELD} locks taken at once and held by one process`,
      unit: 'ms',
      rounds: 3,
      contenders: [{ name: 'library', run }],
    };
  }

  private leasesOfManyHeld(): Measure {
    const run = async () => {
      const before = await this.leasesAndStreams();
      const release = await this.holdMany();
      const more = (await this.leasesAndStreams()) - before;
      await release();
      return more;
    };
    return {
      title: `${HELD} locks held by one process: leases and keepalive streams beside the session's`,
      unit: 'more',
      rounds: 2,
      contenders: [{ name: 'library', run }],
      atMost: 0,
    };
  }

  private contenders(
    workers: number,
    processes: number,
    options: LockOptions,
    figure: keyof Contest,
  ): Contender[] {
    const library = async () => {
      if (processes > 1) await this.processes.start();
      const turns: Turns = { ...window(), workers, lock: `contended/${this.next()}`, options };
      const counts =
        processes > 1
          ? await this.processes.takeTurns(turns)
          : await takeTurns(this.pair[0].locks, turns);
      return contest(counts)[figure];
    };
    const { go } = this;
    const contenders: Contender[] = [{ name: 'library', run: library }];
    if (!go) return contenders;
    const run = async () => {
      const given = this.goOptions(workers);
      const all = await go.runTogether(processes, 'lock-contend', this.endpoint, given);
      const rate = all.reduce((sum, { ops_s }) => sum + ops_s, 0);
      return { rate, spread: spreadOf(all.flatMap(({ counts }) => counts)) }[figure];
    };
    return [{ name: 'Go clientv3', run }, ...contenders];
  }

  private async turn(lock: string, options?: LockOptions): Promise<void> {
    const handle = await this.pair[0].locks.acquire(lock, options);
    await handle.release();
  }

  private async plainTurn(key: string): Promise<void> {
    const lock = await this.plain.lock(key).ttl(60).acquire();
    await lock.release();
  }

  /** Takes many locks. Gives what releases them. */
  private async holdMany(): Promise<() => Promise<void>> {
    const { locks } = this.pair[0];
    const run = this.next();
    const handles = await Promise.all(
      Array.from({ length: HELD }, (_, index) => locks.acquire(`many-${run}/${index}`)),
    );
    return async () => void (await Promise.all(handles.map((handle) => handle.release())));
  }

  /** How many leases there are in etcd, and how many keepalive streams were ever opened. */
  private async leasesAndStreams(): Promise<number> {
    const { leases } = await this.plain.leaseClient.leaseLeases();
    const response = await fetch(`${this.endpoint}/metrics`);
    const opened = /^grpc_server_started_total\{grpc_method="LeaseKeepAlive".*\} (\d+)$/m;
    const streams = opened.exec(await response.text())?.[1];
    if (streams === undefined) throw new Error('etcd does not say how many streams were opened.');
    return leases.length + Number(streams);
  }

  private goOptions(c: number): Record<string, string | number> {
    return { c, d: COUNTED, warm: c === 1 ? 100 : WARM_UP, tag: `go-${this.next()}` };
  }

  private next(): number {
    return (this.runs += 1);
  }
}

/** The time in which turns count that begin now. */
function window(): Pick<Turns, 'from' | 'until'> {
  const from = process.hrtime.bigint() + BigInt(WARM_UP * 1e9);
  return { from, until: from + BigInt(COUNTED * 1e9) };
}

function contest(counts: readonly number[]): Contest {
  const turns = counts.reduce((sum, count) => sum + count, 0);
  return { rate: turns / COUNTED, spread: spreadOf(counts) };
}

function spreadOf(counts: readonly number[]): number {
  return Math.max(...counts) / Math.min(...counts);
}

function contestants(workers: number, processes: number, { queue }: LockOptions): string {
  const who =
    processes > 1
      ? `${processes} processes of ${workers} workers`
      : `${workers} workers of one process`;
  return queue === 'etcd' ? `${who}, strictly first come first served` : who;
}

/** Microseconds that each of so many turns takes. */
async function perTurn(turns: number, turn: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < turns; i++) await turn();
  return ((performance.now() - start) * 1000) / turns;
}
