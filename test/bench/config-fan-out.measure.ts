import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { ConfigPublisher } from '../../libs/etcd-coordination/src/config/config-publisher.js';
import type { Measure } from './alternate.js';

const PROCESSES = 50;
const CHANGES = 20;
/** How many start at a time: more would only wait for each other. */
const AT_ONCE = 4;
const NAMESPACE = 'bench/config-fan-out';
const WORKER = fileURLToPath(new URL('./config-fan-out-worker.mjs', import.meta.url));

type Told = [round: number, at: string][];

/**
 * A change of a configuration, from before it is sent to the moment at which a `@WatchConfig`
 * method of each of many processes has it. The figure of a run is the 99th percentile over all
 * processes and changes.
 */
export class ConfigFanOut {
  private readonly workers: ChildProcess[] = [];
  private readonly publisher: ConfigPublisher;
  private round = 0;

  constructor(
    private readonly endpoint: string,
    /** Of the node from which the changes come. */
    client: EtcdClient,
  ) {
    const identity = { instanceId: 'bench', labels: {} };
    this.publisher = new ConfigPublisher({ client, namespace: NAMESPACE, identity });
  }

  get measure(): Measure {
    return {
      title: `a change of a configuration to @WatchConfig of ${PROCESSES} processes, 99th percentile of ${CHANGES} changes`,
      unit: 'ms',
      rounds: 5,
      contenders: [{ name: 'library', run: () => this.run() }],
      atMost: 50,
    };
  }

  async close(): Promise<void> {
    const gone = this.workers.map((worker) => once(worker, 'exit'));
    for (const worker of this.workers) worker.send('end');
    await Promise.all(gone);
  }

  private async start(): Promise<void> {
    await this.change();
    for (let i = 0; i < PROCESSES; i += AT_ONCE) {
      const batch = Array.from({ length: Math.min(AT_ONCE, PROCESSES - i) }, () => this.fork());
      this.workers.push(...(await Promise.all(batch)));
    }
  }

  private async run(): Promise<number> {
    if (this.workers.length === 0) await this.start();
    const sent = new Map<number, bigint>();
    for (let i = 0; i < CHANGES; i++) {
      const { round, at } = await this.change();
      sent.set(round, at);
      // The next one is not to find the processes still busy with the last.
      await pause(150);
    }
    const told = await Promise.all(this.workers.map((worker) => this.ask(worker)));
    const took = told.flatMap((ofOne) => {
      const reached = new Map(ofOne);
      return [...sent].map(([round, at]) => {
        const arrived = reached.get(round);
        if (arrived === undefined) throw new Error(`A process never heard of change ${round}.`);
        return Number(BigInt(arrived) - at) / 1e6;
      });
    });
    took.sort((a, b) => a - b);
    return took[Math.ceil(took.length * 0.99) - 1]!;
  }

  private async change(): Promise<{ round: number; at: bigint }> {
    this.round += 1;
    const at = process.hrtime.bigint();
    await this.publisher.set('prices', { round: this.round, bolt: 12.5, nut: 3.25 });
    return { round: this.round, at };
  }

  private async fork(): Promise<ChildProcess> {
    const worker = fork(WORKER, [this.endpoint, NAMESPACE]);
    await once(worker, 'message');
    return worker;
  }

  private async ask(worker: ChildProcess): Promise<Told> {
    const answer = once(worker, 'message') as Promise<[Told]>;
    worker.send('tell');
    return (await answer)[0];
  }
}
