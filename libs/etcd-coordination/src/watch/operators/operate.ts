import type { Observable, Operator, OperatorFunction, Subscriber, TeardownLogic } from 'rxjs';

/** An operator that keeps the class of its source, and with it the guard of a watch's subscribers. */
export function operate<T, R>(
  connect: (source: Observable<T>, subscriber: Subscriber<R>) => TeardownLogic,
): OperatorFunction<T, R> {
  return (source) => {
    const operator: Operator<T, R> = {
      call: (subscriber, from: Observable<T>) => connect(from, subscriber),
    };
    return source.lift(operator);
  };
}
