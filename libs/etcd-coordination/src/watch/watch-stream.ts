import { Logger } from '@nestjs/common';
import {
  Observable,
  type Observer,
  type Operator,
  Subscriber,
  type Subscription,
  type TeardownLogic,
} from 'rxjs';

const logger = new Logger('WatchService');

/** What is watched, in words that are only made when they are needed. */
export interface Watched {
  readonly label: string;
}

/**
 * An Observable whose subscribers cannot hurt anybody: RxJS reports what a subscriber throws,
 * or an error that it does not handle, by throwing it in a timer, which ends a Node process.
 * Here it is logged with the name of what was watched, and the subscription goes on. That
 * holds for what `pipe` makes of it too.
 */
export class WatchStream<T> extends Observable<T> {
  constructor(
    protected readonly watched: Watched,
    subscribe?: (subscriber: Subscriber<T>) => TeardownLogic,
  ) {
    super(subscribe);
  }

  /** Called by `pipe`: keeps the class. */
  override lift<R>(operator?: Operator<T, R>): WatchStream<R> {
    const lifted = new WatchStream<R>(this.watched);
    // Deprecated for applications; it is how RxJS 7's own operators are built.
    lifted.source = this;
    lifted.operator = operator;
    return lifted;
  }

  override subscribe(observerOrNext?: Partial<Observer<T>> | ((value: T) => void)): Subscription;
  override subscribe(
    next?: ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription;
  override subscribe(
    first?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // An operator's; it hands what is thrown in it on as an error.
    if (isSubscriber(first)) return super.subscribe(first);
    const observer =
      typeof first === 'object' && first !== null
        ? first
        : { next: first ?? undefined, error: error ?? undefined, complete: complete ?? undefined };
    return super.subscribe(new Guarded(this.watched, observer));
  }
}

/** Calls an observer's callbacks, and logs what comes out of them. */
class Guarded<T> implements Observer<T> {
  constructor(
    private readonly watched: Watched,
    private readonly observer: Partial<Observer<T>>,
  ) {}

  next(value: T): void {
    this.guard(() => this.observer.next?.(value));
  }

  error(error: unknown): void {
    if (this.observer.error) return this.guard(() => this.observer.error!(error));
    logger.error(
      `The watch on ${this.watched.label} ended, and nobody handles its error: ${text(error)}`,
    );
  }

  complete(): void {
    this.guard(() => this.observer.complete?.());
  }

  private guard(call: () => unknown): void {
    guarded(this.watched, call);
  }
}

/** Calls an application's callback, and logs what comes out of it. */
export function guarded(watched: Watched, call: () => unknown): void {
  const thrown = (error: unknown) =>
    logger.error(
      `A subscriber of the watch on ${watched.label} threw; it goes on with the next event: ${text(error)}`,
      error instanceof Error ? error.stack : undefined,
    );
  try {
    const result = call();
    // An async function rejects where others throw.
    if (isThenable(result)) result.then(undefined, thrown);
  } catch (error) {
    thrown(error);
  }
}

function text(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function';
}

/** RxJS's own way to tell, which also knows those of another copy of it. */
function isSubscriber<T>(value: unknown): value is Subscriber<T> {
  if (value instanceof Subscriber) return true;
  const other = value as Partial<Subscriber<T>> | null | undefined;
  return (
    typeof other === 'object' &&
    typeof other?.next === 'function' &&
    typeof other.add === 'function' &&
    typeof other.remove === 'function' &&
    typeof other.unsubscribe === 'function'
  );
}
