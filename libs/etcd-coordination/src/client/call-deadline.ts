import { status, type ServiceError } from '@grpc/grpc-js';
import { systemClock, type MonotonicClock } from './clock.js';

/**
 * Ends a call when its time is over. gRPC does that itself, by the machine's clock; on another clock
 * it is done here, and looks the same to who made the call.
 */
export class CallDeadline {
  private expired = false;
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly clock: MonotonicClock,
    private readonly timeoutMs: number,
  ) {}

  /** The deadline that gRPC is to keep, by the machine's clock. */
  get forGrpc(): number {
    return this.clock === systemClock ? Date.now() + this.timeoutMs : Infinity;
  }

  /** The call was sent. */
  watch(call: { cancel(): void }): void {
    if (this.clock === systemClock) return;
    this.cancelTimer = this.clock.setTimer(() => {
      this.expired = true;
      call.cancel();
    }, this.timeoutMs);
  }

  /** The call has ended, perhaps with an error. Returns the one to go on with. */
  over(error: ServiceError | null): ServiceError | null {
    this.cancelTimer?.();
    if (!error || !this.expired) return error;
    return Object.assign(error, {
      code: status.DEADLINE_EXCEEDED,
      details: `Deadline exceeded after ${this.timeoutMs} ms`,
    });
  }
}
