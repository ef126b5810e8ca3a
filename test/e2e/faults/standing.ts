import { expect } from 'vitest';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import type { LockHandle } from '../../../libs/etcd-coordination/src/lock/lock-handle.js';
import type { SessionLease } from '../../../libs/etcd-coordination/src/session/session-lease.js';
import type { SessionState } from '../../../libs/etcd-coordination/src/session/session-state.js';
import { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import { putKey } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance, TermLog, type InstanceOptions } from '../election/instance.js';
import { EventLog, NAMESPACE } from '../watch/event-log.js';
import { written } from '../watch/watch-log.js';

const DIR = 'standing/';

/** An instance that leads, holds a lock and watches: what faults of etcd must leave alone. */
export class Standing {
  readonly states: SessionState[] = [];
  private readonly expected: string[] = [];

  private constructor(
    readonly instance: Instance,
    readonly lease: SessionLease,
    readonly term: LeaderTerm,
    readonly lock: LockHandle,
    private readonly watch: WatchService,
    private readonly log: EventLog,
  ) {
    instance.session.state$.subscribe((state) => this.states.push(state));
  }

  static async start(
    id: string,
    endpoints: string | readonly string[],
    options: InstanceOptions,
  ): Promise<Standing> {
    const instance = await Instance.start(id, endpoints, options);
    const terms = new TermLog(instance, 'e');
    await instance.elections.join('e');
    const term = await waitFor(() => terms.standing, { what: `${id} to lead` });
    const lock = await instance.locks.acquire('l');
    // No look at the revision may mend what the watch should not have lost.
    const watch = new WatchService(instance.client, instance.watch, NAMESPACE, {
      checkIntervalMs: 0,
    });
    const log = await EventLog.standing(watch, { prefix: DIR });
    return new Standing(instance, instance.session.lease!, term, lock, watch, log);
  }

  /** Writes under what is watched, past the instance; tried again while etcd elects. */
  async write(endpoint: () => Promise<string>, times = 1): Promise<void> {
    for (let index = 0; index < times; index += 1) {
      // A key of its own for each: one that was written twice, for its answer was lost, is found out.
      const key = `${NAMESPACE}/${DIR}${this.expected.length}`;
      const revision = await waitFor(async () => putKey(await endpoint(), key, 'v'), {
        what: 'a write',
        timeoutMs: 15_000,
      });
      this.expected.push(written('put', key, revision));
    }
  }

  /** Every write was told, once, in order and by the watch itself. */
  async expectAllTold(): Promise<void> {
    await waitFor(() => this.log.events.length >= this.expected.length || this.log.error, {
      what: () => `${this.expected.length} events, of which ${this.log.events.length} came`,
      timeoutMs: 15_000,
    });
    expect(this.log.error).toBeNull();
    expect(this.log.lines).toEqual(this.expected);
    expect(this.log.resyncs).toEqual([]);
  }

  /** The same lease, the same term and the same lock as in the beginning, all valid. */
  expectHeld(): void {
    expect(this.states).not.toContain('lost');
    expect(this.instance.session.lease).toBe(this.lease);
    expect(this.lease.isValid()).toBe(true);
    expect(this.instance.elections.term('e')).toBe(this.term);
    expect(this.term.isValid()).toBe(true);
    expect(this.lock.isValid()).toBe(true);
  }

  /** Hands both over to another instance, which gets newer tokens. */
  async expectHandOver(to: Instance): Promise<void> {
    const terms = new TermLog(to, 'e');
    await to.elections.join('e');
    const next = to.locks.acquire('l');
    await Promise.all([this.term.resign(), this.lock.release()]);
    const term = await waitFor(() => terms.standing, { what: 'the next leader' });
    const lock = await next;
    expect(term.epoch > this.term.epoch).toBe(true);
    expect(lock.token > this.lock.token).toBe(true);
    await lock.release();
  }

  async close(): Promise<void> {
    this.log.stop();
    await this.watch.close();
    await this.instance.close();
  }
}
