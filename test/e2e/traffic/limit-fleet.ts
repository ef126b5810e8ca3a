import type { RateLimitOptions } from '../../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { WorkerProcess, type WorkerMessage } from '../../support/worker-process.js';
import { machineNow } from '../election/machine-clock.js';

const file = new URL('./limit.worker.ts', import.meta.url);
const SLOT_MS = 100;

/** A slot of 100 ms of a process, as it told it. */
export interface LimitSlot extends WorkerMessage {
  readonly slot: number;
  readonly admitted: number;
  readonly share: number;
  readonly members: number;
  readonly lent: number;
  readonly borrowed: number;
  readonly limit: number;
}

/** Processes under one limit, and all that they let through. */
export class LimitFleet {
  readonly workers: WorkerProcess[] = [];

  constructor(
    private readonly endpoint: string,
    private readonly rule: RateLimitOptions,
    private readonly ttlSeconds = 10,
  ) {}

  /** One more, which is offered so many calls a second from when it runs; resolves when it has joined. */
  async add(offer: number): Promise<WorkerProcess> {
    const id = `w${this.workers.length}`;
    const args = [this.endpoint, id, JSON.stringify(this.rule), `${this.ttlSeconds}`];
    const worker = await WorkerProcess.start(file, { args });
    this.workers.push(worker);
    worker.send({ offer });
    await worker.message('joined', { timeoutMs: 30_000 });
    return worker;
  }

  /** What all together let through, by slot. */
  admitted(of: readonly WorkerProcess[] = this.workers): Map<number, number> {
    const sums = new Map<number, number>();
    for (const { slot, admitted } of of.flatMap(slotsOf)) {
      sums.set(slot, (sums.get(slot) ?? 0) + admitted);
    }
    return sums;
  }

  /** The rates, in calls a second, of every window of so many seconds between two moments. */
  rates(from: number, to: number, seconds: number, of?: readonly WorkerProcess[]): number[] {
    const admitted = this.admitted(of);
    const length = (seconds * 1000) / SLOT_MS;
    const rates: number[] = [];
    for (let slot = slotOf(from) + 1; slot + length <= slotOf(to); slot += 1) {
      let sum = 0;
      for (let one = slot; one < slot + length; one += 1) sum += admitted.get(one) ?? 0;
      rates.push(sum / seconds);
    }
    return rates;
  }

  stop(): Promise<unknown> {
    return Promise.all(this.workers.map((worker) => worker.kill()));
  }
}

/** What a process has told of itself last. */
export function lastSlot(worker: WorkerProcess): LimitSlot | undefined {
  return slotsOf(worker).at(-1);
}

export function slotsOf(worker: WorkerProcess): LimitSlot[] {
  return worker.messages.filter((message) => message['type'] === 'slot') as LimitSlot[];
}

/** Lets the machine's clock come to a moment. */
export function untilMachine(at: number) {
  return () => machineNow() >= at;
}

function slotOf(at: number): number {
  return Math.floor(at / SLOT_MS);
}
