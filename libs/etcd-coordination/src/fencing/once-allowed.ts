import { from, Observable, switchMap } from 'rxjs';
import 'reflect-metadata';
import type { AnyMethod } from '../nest/decorated-method.js';

/** What runs a method's body once it is allowed to, in the context that belongs to it. */
export type Permit = <T>(work: () => T) => T;

/** How the calls of a method, which first waits for something, give what the method gives. */
type Waiting = (ask: () => Promise<Permit>, call: () => unknown) => unknown;

/**
 * How a method waits for its permit, by what it is known to return: an observable asks with each
 * subscription, an async generator when its first value is wanted, all others at once and give a promise.
 */
export function waitingFor(method: AnyMethod, target: object, name: string | symbol): Waiting {
  // The tag, unlike util.types, is seen through another decorator's Proxy.
  const { [Symbol.toStringTag]: tag } = method as { [Symbol.toStringTag]?: string };
  if (tag === 'AsyncGeneratorFunction') return asGenerator;
  const returned: unknown = Reflect.getMetadata('design:returntype', target, name);
  return returned === Observable ? asObservable : asPromise;
}

const asPromise: Waiting = async (ask, call) => (await ask())(call);

const asObservable: Waiting = (ask, call) =>
  new Observable((subscriber) =>
    from(ask())
      .pipe(
        switchMap(
          (permit) =>
            new Observable((inner) =>
              // Subscribed to inside as well: an observable does its work then.
              permit(() => (call() as Observable<unknown>).subscribe(inner)),
            ),
        ),
      )
      .subscribe(subscriber),
  );

const asGenerator: Waiting = (ask, call) => generate(ask, call as () => AsyncGenerator);

async function* generate(
  ask: () => Promise<Permit>,
  call: () => AsyncGenerator,
): AsyncGenerator<unknown, unknown, unknown> {
  const permit = await ask();
  const values = permit(call);
  let done = false;
  let sent: unknown;
  try {
    for (;;) {
      const step: IteratorResult<unknown, unknown> = await permit(() => values.next(sent));
      done = step.done === true;
      if (done) return step.value;
      sent = yield step.value;
    }
  } catch (error) {
    done = true;
    throw error;
  } finally {
    // Left early by who reads it.
    if (!done) await permit(() => values.return(undefined));
  }
}
