/**
 * What must compile and what must not; checked by `tsc --noEmit`, never run.
 */
import { of, type Observable } from 'rxjs';
import { Degradable } from './degradable.decorator.js';

interface Item {
  readonly sku: string;
}

export class Fitting {
  @Degradable('x')
  without(): number {
    return 1;
  }

  @Degradable('x', { connection: 'reports' })
  async overAnother(): Promise<Item[]> {
    return [];
  }

  @Degradable('x', { fallback: () => [] })
  async empty(_order: string): Promise<Item[]> {
    return [];
  }

  @Degradable('x', { fallback: async () => [] })
  async emptyLater(_order: string): Promise<Item[]> {
    return [];
  }

  @Degradable('x', { fallback: (order: string) => [{ sku: order }] })
  async ofArguments(_order: string, _count: number): Promise<Item[]> {
    return [];
  }

  @Degradable('x', { fallback: () => of(1) })
  streamed(): Observable<number> {
    return of(2);
  }

  @Degradable('x', { fallback: () => undefined })
  nothing(): void {}

  @Degradable('x', { fallback: 'lastKnown' })
  known(): number {
    return this.hidden();
  }

  lastKnown(): number {
    return 1;
  }

  // What is private cannot be looked at from outside, and is taken as it is.
  @Degradable('x', { fallback: 'hidden', connection: 'default' })
  byPrivate(): number {
    return 2;
  }

  private hidden(): number {
    return 1;
  }
}

export class Unfitting {
  // @ts-expect-error a text is no number
  @Degradable('x', { fallback: () => 'none' })
  number(): number {
    return 1;
  }

  // @ts-expect-error nor a promise of one, where the method waits for nothing
  @Degradable('x', { fallback: async () => 1 })
  atOnce(): number {
    return 1;
  }

  // @ts-expect-error nor is null an array
  @Degradable('x', { fallback: () => null })
  async items(): Promise<Item[]> {
    return [];
  }

  // @ts-expect-error the method's argument is a text
  @Degradable('x', { fallback: (count: number) => count })
  argument(_order: string): number {
    return 1;
  }

  // @ts-expect-error the method of that name gives something else
  @Degradable('x', { fallback: 'text' })
  byName(): number {
    return 1;
  }

  text(): string {
    return '';
  }

  // @ts-expect-error there is no such option
  @Degradable('x', { fallBack: () => 1 })
  misspelt(): number {
    return 1;
  }
}
