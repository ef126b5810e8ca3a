import { from, Observable } from 'rxjs';
import { UnawaitedPromise } from './unawaited-promise.js';

/** One call of a method, which waits for its lock first. */
export interface LockedCall {
  /** Takes the lock and runs what it is given under it; gives up waiting when the signal aborts. */
  readonly run: <T>(work: () => T | PromiseLike<T>, signal?: AbortSignal) => Promise<T | undefined>;
  /** The method itself. */
  readonly method: () => unknown;
  /** The error as the caller is to get it. */
  readonly refusal: (error: unknown) => unknown;
  /** Is told of an error that no caller hears of. */
  readonly unheard: (error: unknown) => void;
}

/** How the calls of a method give what it gives, although they wait first. */
export type CallKind = (call: LockedCall) => unknown;

/** Of a method that returns a promise. */
export const promised: CallKind = ({ run, method }) => run(method);

/** Of a method that says that it returns nothing, or something of which its type says too little. */
export const unawaited: CallKind = ({ run, method, unheard }) =>
  UnawaitedPromise.of(run(method), unheard);

/** Of a method that returns an Observable: each subscription takes the lock, and calls the method then. */
export const observed: CallKind = ({ run, method, refusal }) =>
  new Observable((subscriber) => {
    const waiting = new AbortController();
    subscriber.add(() => waiting.abort());
    const error = (reason: unknown) => subscriber.error(refusal(reason));
    run(method, waiting.signal)
      .then((values) => {
        // Though nobody may listen any more: that ends it, and frees the lock.
        const inner = from(values as Observable<unknown>).subscribe({
          next: (value) => subscriber.next(value),
          error,
          complete: () => subscriber.complete(),
        });
        subscriber.add(inner);
      })
      .catch(error);
  });

/** Of an async generator: the lock is taken, and the method called, when the first value is asked for. */
export const generated: CallKind = (call) => new LockedGenerator(call);

class LockedGenerator implements AsyncGenerator<unknown, unknown, unknown> {
  private readonly waiting = new AbortController();
  private source: Promise<AsyncGenerator<unknown, unknown, unknown>> | undefined;
  /** It has ended before its source began; otherwise the source says what is. */
  private isOver = false;

  constructor(private readonly call: LockedCall) {}

  async next(...sent: [] | [unknown]): Promise<IteratorResult<unknown, unknown>> {
    if (this.isOver) return { done: true, value: undefined };
    const { run, method } = this.call;
    this.source ??= run(method, this.waiting.signal) as Promise<AsyncGenerator>;
    let source: AsyncGenerator<unknown, unknown, unknown>;
    try {
      source = await this.source;
    } catch (error) {
      // As any generator, it fails once; and not at all where it was given up meanwhile.
      if (this.isOver || this.waiting.signal.aborted) return { done: true, value: undefined };
      this.isOver = true;
      throw error;
    }
    return source.next(...sent);
  }

  async return(value?: unknown): Promise<IteratorResult<unknown, unknown>> {
    const source = await this.leave();
    return source ? source.return(value) : { done: true, value: await value };
  }

  async throw(error?: unknown): Promise<IteratorResult<unknown, unknown>> {
    const source = await this.leave();
    if (!source) throw error;
    return source.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Stops waiting for the lock. What is there when it was had already, is to be left itself. */
  private async leave(): Promise<AsyncGenerator<unknown, unknown, unknown> | undefined> {
    this.waiting.abort();
    const { source } = this;
    if (!source) this.isOver = true;
    if (this.isOver) return undefined;
    return source?.catch(() => {
      this.isOver = true;
      return undefined;
    });
  }
}
