import type { ClaimQueue } from './claim-queue.js';

/** One asker's share in following a queue: however often it is asked for, it is ended once. */
export class QueueFollowing {
  private on = false;

  constructor(private readonly queue: ClaimQueue) {}

  begin(): void {
    if (this.on) return;
    this.on = true;
    this.queue.observe();
  }

  end(): void {
    if (this.on) this.queue.unobserve();
    this.on = false;
  }
}
