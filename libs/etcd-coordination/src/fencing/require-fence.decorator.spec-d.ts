/**
 * What must compile and what must not; checked by `tsc --noEmit`, never run.
 */
import { type Observable, of } from 'rxjs';
import { RequireFence } from './require-fence.decorator.js';

export class Fenced {
  @RequireFence('lock/a')
  nothing(): void {}

  @RequireFence('lock/a', { connection: 'reports' })
  async later(_sku: string): Promise<number> {
    return 1;
  }

  @RequireFence((args: [string]) => `lock/${args[0]}`)
  values(_sku: string): Observable<number> {
    return of(1);
  }

  @RequireFence('election/a')
  async *list(): AsyncGenerator<number> {
    yield 1;
  }

  // @ts-expect-error it is asked first, so there is no value at once
  @RequireFence('lock/a')
  value(): number {
    return 1;
  }

  // @ts-expect-error a resource is a string or a function that gives one
  @RequireFence(5)
  async number(): Promise<void> {}

  // @ts-expect-error an option that does not exist
  @RequireFence('lock/a', { otherwise: 'skip' })
  async option(): Promise<void> {}

  // @ts-expect-error a field is no method
  @RequireFence('lock/a')
  field = 1;
}
