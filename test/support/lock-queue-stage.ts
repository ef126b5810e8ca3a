import { Logger } from '@nestjs/common';
import { vi } from 'vitest';
import { FakeKv } from './fake-kv.js';
import { VirtualClock } from './virtual-clock.js';
import { lockQueuePrefix } from '../../libs/etcd-coordination/src/client/keys.js';
import { TxnMerger } from '../../libs/etcd-coordination/src/client/txn-merger.js';
import type { EtcdSession } from '../../libs/etcd-coordination/src/session/etcd-session.js';
import { SessionLease } from '../../libs/etcd-coordination/src/session/session-lease.js';
import type { Claim } from '../../libs/etcd-coordination/src/lock/claim.js';
import { ClaimQueue } from '../../libs/etcd-coordination/src/lock/claim-queue.js';
import type { QueueKind } from '../../libs/etcd-coordination/src/lock/queue-ground.js';
import { lockRule } from '../../libs/etcd-coordination/src/lock/queue-entry.js';

/** Where the queue of the stage's lock is. */
export const PREFIX = lockQueuePrefix('ns', 'l');
export const LOCK: QueueKind = { name: 'l', prefix: PREFIX, rule: lockRule };

/** One process and its claims in the queue. */
export class QueueProcess {
  lease: SessionLease;
  readonly queue: ClaimQueue;
  /** What its claims were told, by their slots. */
  readonly heard: string[] = [];
  changes = 0;

  constructor(
    kv: FakeKv,
    readonly id: string,
    leaseId: string,
    kind: QueueKind = LOCK,
  ) {
    this.lease = this.newLease(leaseId);
    const { client, hub } = kv;
    const session = { reportGone: (lease: SessionLease) => lease.end('gone') };
    const ground = {
      ...{ client, merger: new TxnMerger(client, () => 1000), watch: hub },
      ...{ session: session as unknown as EtcdSession, namespace: 'ns', instanceId: id },
    };
    this.queue = new ClaimQueue(ground, kind, () => (this.changes += 1));
  }

  newLease(id: string): SessionLease {
    return (this.lease = new SessionLease(id, 60_000, 0, new VirtualClock(0), () => undefined));
  }

  claim(options?: { shared?: boolean; keep?: boolean }): Claim {
    const claim: Claim = this.queue.claim(
      this.lease,
      {
        granted: () => this.heard.push(`granted ${claim.slot}`),
        lost: (reason) => this.heard.push(`lost ${claim.slot}: ${reason}`),
      },
      options,
    );
    return claim;
  }

  async enter(options?: { shared?: boolean; keep?: boolean }): Promise<Claim> {
    const claim = this.claim(options);
    await this.queue.enter(claim);
    return claim;
  }

  /** Follows the queue, and has seen it. */
  async observe(): Promise<void> {
    const before = this.changes;
    this.queue.observe();
    await until(() => this.changes > before);
  }
}

/** Two processes and the etcd in which their claims stand. */
export class LockQueueStage {
  readonly kv = new FakeKv();
  readonly warned: string[] = [];
  me: QueueProcess;
  readonly other: QueueProcess;

  constructor() {
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => {
      this.warned.push(line);
    });
    // No pauses between attempts.
    vi.spyOn(Math, 'random').mockReturnValue(0);
    this.me = new QueueProcess(this.kv, 'me', '31');
    this.other = new QueueProcess(this.kv, 'other', '47');
  }

  close(): void {
    this.me.queue.close();
    this.other.queue.close();
    vi.restoreAllMocks();
    vi.useRealTimers();
  }

  /** What stands in the queue, with the revisions at which it was put, in their order. */
  standing(): Record<string, number> {
    const kvs = [...this.kv.kvs.values()].filter(({ key }) => key.toString().startsWith(PREFIX));
    kvs.sort((a, b) => Number(a.create_revision) - Number(b.create_revision));
    return Object.fromEntries(
      kvs.map(({ key, create_revision }) => [
        key.toString().slice(PREFIX.length),
        Number(create_revision),
      ]),
    );
  }

  /** The transactions so far, without the lock's prefix. */
  asked(): string[][] {
    return this.kv.asked.map((writes) =>
      writes.map((write) => write.replace(PREFIX, '').replace('ns/lock/l/', '')),
    );
  }
}

/** Waits for what needs no time, but turns of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { interval: 1 });
}
