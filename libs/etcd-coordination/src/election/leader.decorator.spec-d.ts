/**
 * What must compile and what must not; checked by `tsc --noEmit`, never run.
 */
import { Cron, Interval } from '@nestjs/schedule';
import { type Observable, of } from 'rxjs';
import { Leader, type LeaderOptions } from './leader.decorator.js';
import type { LeaderTerm } from './leader-term.js';
import { OnElected } from './on-elected.decorator.js';
import { OnRevoked } from './on-revoked.decorator.js';

export class Skipping {
  @Leader('x')
  nothing(): void {}

  @Leader('x', { otherwise: 'skip' })
  async nothingLater(_a: string, _b?: number): Promise<void> {}

  @Leader('x', { connection: 'reports' })
  maybeLater(): void | Promise<void> {}

  @Leader('x')
  undefinedOnly(): undefined {}

  @Leader('x')
  never(): never {
    throw new Error();
  }

  @Leader('x')
  @Interval(1000)
  interval(): void {}

  @Cron('* * * * *')
  @Leader('x')
  async cron(): Promise<void> {}

  @Leader('x')
  private hidden(): void {}

  @Leader('x')
  protected generic<T>(_value: T): void {
    this.hidden();
  }

  // @ts-expect-error a skipped call has no value to return
  @Leader('x')
  value(): number {
    return 1;
  }

  // @ts-expect-error nor when that is said
  @Leader('x', { otherwise: 'skip' })
  explicit(): string {
    return '';
  }

  // @ts-expect-error nor a promise of one
  @Leader('x')
  async valueLater(): Promise<number> {
    return 1;
  }

  // @ts-expect-error nor one that is only sometimes there
  @Leader('x')
  sometimes(): number | undefined {
    return undefined;
  }

  // @ts-expect-error nor an observable
  @Leader('x')
  stream(): Observable<void> {
    return of(undefined);
  }
}

export class Throwing {
  @Leader('x', { otherwise: 'throw' })
  nothing(): void {}

  @Leader('x', { otherwise: 'throw' })
  value(): number {
    return 1;
  }

  @Leader('x', { otherwise: 'throw' })
  async valueLater(_id: string): Promise<{ id: string }> {
    return { id: _id };
  }

  @Leader('x', { otherwise: 'throw' })
  stream(): Observable<number> {
    return of(1);
  }
}

export class Misusing {
  // @ts-expect-error there is no such way
  @Leader('x', { otherwise: 'fail' })
  way(): void {}

  // @ts-expect-error a name is a string
  @Leader(42)
  name(): void {}

  // @ts-expect-error a field is no method
  @Leader('x')
  field = 1;

  // @ts-expect-error an option that does not exist
  @Leader('x', { other: 'skip' })
  option(): void {}
}

export class Hooks {
  @OnElected('x')
  none(): void {}

  @OnElected('x')
  @OnRevoked('x', { connection: 'reports' })
  async term(_term: LeaderTerm): Promise<number> {
    return 1;
  }

  // @ts-expect-error a term is all that is given
  @OnElected('x')
  two(_term: LeaderTerm, _other: string): void {}

  // @ts-expect-error and it is no string
  @OnRevoked('x')
  wrong(_term: string): void {}
}

export const options: LeaderOptions = { otherwise: 'throw', connection: 'reports' };
