/**
 * What must compile and what must not; checked by `tsc --noEmit`, never run.
 */
import { Cron, Interval } from '@nestjs/schedule';
import { type Observable, of } from 'rxjs';
import { DistributedLock, type DistributedLockOptions } from './distributed-lock.decorator.js';

export class Waiting {
  @DistributedLock('x')
  nothing(): void {}

  @DistributedLock('order/{orderId}')
  async later(orderId: string): Promise<{ orderId: string }> {
    return { orderId };
  }

  @DistributedLock('x', { onBusy: 'throw', waitMs: 100, connection: 'reports' })
  stream(): Observable<number> {
    return of(1);
  }

  @DistributedLock(([order]: [{ sku: string }]) => order.sku, { onBusy: 'wait' })
  async *values(_order: { sku: string }): AsyncGenerator<number> {
    yield 1;
  }

  @DistributedLock('x')
  private async hidden<T>(value: T): Promise<T> {
    return value;
  }

  protected both(): Promise<unknown> {
    return this.hidden(1);
  }

  // @ts-expect-error a value cannot wait for its lock
  @DistributedLock('x')
  value(): number {
    return 1;
  }

  // @ts-expect-error nor an array
  @DistributedLock('x')
  list(): string[] {
    return [];
  }
}

export class Skipping {
  @DistributedLock('x', { onBusy: 'skip' })
  nothing(): void {}

  @Interval(1000)
  @DistributedLock('x', { onBusy: 'skip', holdAtLeastMs: 500 })
  interval(): void {}

  @Cron('* * * * *')
  @DistributedLock('x', { onBusy: 'skip' })
  async cron(): Promise<void> {}

  // @ts-expect-error a skipped call has no value to return
  @DistributedLock('x', { onBusy: 'skip' })
  async valueLater(): Promise<number> {
    return 1;
  }

  // @ts-expect-error nor an observable
  @DistributedLock('x', { onBusy: 'skip' })
  stream(): Observable<void> {
    return of(undefined);
  }
}

export class Misusing {
  // @ts-expect-error there is no such way
  @DistributedLock('x', { onBusy: 'fail' })
  way(): void {}

  // @ts-expect-error a key is a string, or makes one
  @DistributedLock(42)
  name(): void {}

  // @ts-expect-error a key is a string
  @DistributedLock(() => 42)
  made(): void {}

  // @ts-expect-error a field is no method
  @DistributedLock('x')
  field = 1;

  // @ts-expect-error an option that does not exist
  @DistributedLock('x', { otherwise: 'skip' })
  option(): void {}
}

export const options: DistributedLockOptions = { onBusy: 'skip', keep: true };
