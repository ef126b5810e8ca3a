import { AsyncLocalStorage } from 'node:async_hooks';
import { Observable, Subject, takeUntil } from 'rxjs';
import type { Failure, LockHold } from './lock-hold.js';

/**
 * The source, subscribed to in the lock's context, with the lock held until it completes, errors,
 * or is unsubscribed from. The lock's loss ends it with that error. Who subscribes is told that it
 * has completed once the lock is released, and outside of its context.
 */
export function heldObservable<T>(source: Observable<T>, hold: LockHold): Observable<T> {
  return new Observable<T>((subscriber) => {
    const refusal = hold.enter();
    if (refusal) {
      subscriber.error(refusal.error);
      return;
    }
    const outside = AsyncLocalStorage.snapshot();
    // Unlike a subscription it is there while the source still emits from inside of `subscribe`.
    const stop = new Subject<void>();
    let over = false;

    const end = (failure: Failure | null = null) => {
      if (over) return;
      over = true;
      hold.signal.removeEventListener('abort', lose);
      hold.run(() => stop.next());
      void hold.leave(failure).then((outcome) =>
        outside(() => {
          if (outcome) subscriber.error(outcome.error);
          else subscriber.complete();
        }),
      );
    };
    const lose = () => end({ error: hold.signal.reason as unknown });

    hold.signal.addEventListener('abort', lose);
    subscriber.add(() => end());
    // Nobody listens any more.
    if (over) return;
    hold.run(() =>
      source.pipe(takeUntil(stop)).subscribe({
        next: (value) => {
          // The event loop may have been blocked: the clock is asked, not whether an event came.
          if (hold.lost()) lose();
          else if (!over) outside(() => subscriber.next(value));
        },
        error: (error: unknown) => end({ error }),
        complete: () => end(),
      }),
    );
  });
}
