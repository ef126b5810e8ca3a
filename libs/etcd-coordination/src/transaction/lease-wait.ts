import { timeoutSignal } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';

/** Those who are told how the wait for a lease went. */
export interface LeaseWaitHandlers {
  /** There is a lease. */
  ready(): void;
  /** There was none, for all the time that those may wait who began by `since`. True if others wait on. */
  missed(since: number, error: unknown): boolean;
}

/** Waits for a lease of the session, once for all who need one: each as long as a write may take. */
export class LeaseWait {
  private isWaiting = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly session: EtcdSession,
    private readonly handlers: LeaseWaitHandlers,
  ) {}

  /** Somebody waits from now on. */
  begin(): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    void this.wait();
  }

  private async wait(): Promise<void> {
    const { clock, options } = this.client;
    // Short parts: whoever comes during one waits less than that beyond its time.
    const partMs = options.timeouts.write / 8;
    for (;;) {
      const signal = timeoutSignal(clock, partMs);
      try {
        await this.session.ready(signal);
        this.isWaiting = false;
        return this.handlers.ready();
      } catch (error) {
        // A session that has ended has no lease any more, and says so at once.
        const since = signal.aborted ? clock.now() - options.timeouts.write : Infinity;
        if (this.handlers.missed(since, error)) continue;
        this.isWaiting = false;
        return;
      }
    }
  }
}
