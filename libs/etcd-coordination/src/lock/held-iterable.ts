import type { Failure, LockHold } from './lock-hold.js';

/** What can be iterated over with `for await`; a generator is its own iterator. */
export type Iterated<T> = AsyncIterable<T> & Partial<AsyncIterator<T, unknown, unknown>>;

/** Whether it can be iterated over with `for await`. */
export function isAsyncIterable(value: unknown): value is Iterated<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  );
}

/**
 * The same object, but what is pulled out of it is pulled in the lock's context, and the lock is
 * held until it is done, fails, or is given up. After a loss nothing more is pulled.
 */
export function heldIterable<T extends Iterated<unknown>>(source: T, hold: LockHold): T {
  if (typeof source.next !== 'function') {
    return overridden(source, {
      [Symbol.asyncIterator]: () =>
        new HeldIterator(
          hold.run(() => source[Symbol.asyncIterator]()),
          hold,
        ),
    });
  }
  const iterator = new HeldIterator(source as unknown as AsyncIterator<unknown>, hold);
  const methods = ['next', 'return', 'throw', Symbol.asyncIterator, Symbol.asyncDispose] as const;
  return overridden(
    source,
    Object.fromEntries(methods.map((name) => [name, iterator[name].bind(iterator)])),
  );
}

class HeldIterator implements AsyncIterableIterator<unknown, unknown, unknown> {
  private state: 'fresh' | 'running' | 'over' = 'fresh';

  constructor(
    private readonly source: AsyncIterator<unknown, unknown, unknown>,
    private readonly hold: LockHold,
  ) {}

  async next(...sent: [] | [unknown]): Promise<IteratorResult<unknown, unknown>> {
    if (this.state === 'fresh') this.begin();
    if (this.state === 'over') return { done: true, value: undefined };
    const lost = this.hold.lost();
    if (lost) return this.fail(await this.closeSource(lost));
    return this.pull(() => this.source.next(...sent));
  }

  async return(value?: unknown): Promise<IteratorResult<unknown, unknown>> {
    if (this.state === 'fresh') this.begin();
    if (this.state === 'over') return { done: true, value };
    // As in a generator, a `finally` may yield once more: then it is not over.
    return this.pull(async () => (await this.source.return?.(value)) ?? { done: true, value });
  }

  async throw(error?: unknown): Promise<IteratorResult<unknown, unknown>> {
    if (this.state === 'fresh') this.begin();
    if (this.state === 'over') throw error;
    return this.pull(async () => {
      if (this.source.throw) return this.source.throw(error);
      await this.source.return?.();
      throw error;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private begin(): void {
    const refusal = this.hold.enter();
    this.state = refusal ? 'over' : 'running';
    if (refusal) throw refusal.error;
  }

  private async pull(
    step: () => Promise<IteratorResult<unknown, unknown>>,
  ): Promise<IteratorResult<unknown, unknown>> {
    let result: IteratorResult<unknown, unknown>;
    try {
      result = await this.hold.run(async () => step());
    } catch (error) {
      return this.fail({ error });
    }
    if (!result.done || !this.end()) return result;
    const failure = await this.hold.leave();
    if (failure) throw failure.error;
    return result;
  }

  /** Lets the source clean up; what goes wrong there is told beside the loss. */
  private async closeSource(lost: Error): Promise<Failure> {
    try {
      await this.hold.run(async () => this.source.return?.());
      return { error: lost };
    } catch (error) {
      return { error };
    }
  }

  private async fail(failure: Failure): Promise<never> {
    const outcome = this.end() ? await this.hold.leave(failure) : failure;
    throw (outcome ?? failure).error;
  }

  /** Whether it ends here, and has not before: pulls may overlap. */
  private end(): boolean {
    if (this.state === 'over') return false;
    this.state = 'over';
    return true;
  }
}

/** The object with other methods in the place of some; it keeps its class, and what else it can do. */
function overridden<T extends object>(target: T, methods: Record<PropertyKey, unknown>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(methods, name)) return methods[name];
      const value = Reflect.get(target, name, target) as unknown;
      // Its own fields may be private, which no Proxy has.
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
