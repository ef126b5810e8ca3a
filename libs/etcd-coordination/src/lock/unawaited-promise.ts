import { from, isObservable, mergeMap, type Observable, observable, type Observer, of } from 'rxjs';

/**
 * What a method gives whose declared type is no promise, although it has to wait for its lock. It
 * is one for who looks, as Nest does. Its rejection is told by `unheard`, and does not end the
 * process, if nobody has begun to wait for it by then: such a caller could not know.
 *
 * Where its type is an async iterable, or an Observable whose class was imported as a type only, so
 * that nothing tells of it before the call, it can be iterated over, or subscribed to.
 */
export class UnawaitedPromise<T> extends Promise<T> implements AsyncIterable<unknown> {
  private isHeard = false;

  // What `then` makes is an ordinary promise: whoever asked for it knows of it.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of<T>(promise: Promise<T>, unheard: (error: unknown) => void): UnawaitedPromise<T> {
    const made = new UnawaitedPromise<T>((resolve, reject) => void promise.then(resolve, reject));
    void promise.catch((error: unknown) =>
      // After the microtasks, in which an `await` of it says so; before Node looks who waits.
      process.nextTick(() => {
        if (made.isHeard) return;
        unheard(error);
        void made.catch(() => undefined);
      }),
    );
    return made;
  }

  // oxlint-disable-next-line unicorn/no-thenable
  override then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    this.isHeard = true;
    return super.then(onFulfilled, onRejected);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, unknown, unknown> {
    return yield* (await this) as AsyncIterable<unknown>;
  }

  readonly pipe: Observable<unknown>['pipe'] = (...operators: []) =>
    this.values().pipe(...operators);

  readonly subscribe: Observable<unknown>['subscribe'] = (...observer: unknown[]) =>
    this.values().subscribe(...(observer as [Observer<unknown>]));

  /** What it resolves with, or the values of that. */
  values(): Observable<unknown> {
    // An ordinary promise, for rxjs would ask this one again.
    return from(this.then((value) => value)).pipe(
      mergeMap((value) => (isObservable(value) ? value : of(value))),
    );
  }
}

// What rxjs asks before it asks for a promise.
void Object.defineProperty(UnawaitedPromise.prototype, observable, {
  value(this: UnawaitedPromise<unknown>) {
    return this.values();
  },
});
