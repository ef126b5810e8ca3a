import { currentOwners } from './ownership-context.js';

/** Whom each signal is to tell. One listener each: hundreds of calls may wait for the same signal. */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once when the signal aborts, unless it is cancelled before. Unlike `AbortSignal.any`, it
 * leaves nothing behind on a signal that lives long, and warns of no leak where many wait.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let waiting = followers.get(signal);
  if (!waiting) {
    const told = new Set<() => void>();
    const tell = () => {
      for (const follower of [...told]) follower();
    };
    signal.addEventListener('abort', tell, { once: true });
    followers.set(signal, (waiting = told));
  }
  waiting.add(callback);
  return () => waiting.delete(callback);
}

/** The signals of the terms and locks that the running call chain stands in: they abort when these are lost. */
export function ownerSignals(): AbortSignal[] {
  return [...currentOwners('term'), ...currentOwners('lock')].flatMap((owner) => {
    const { signal } = owner as { readonly signal?: unknown };
    return signal instanceof AbortSignal ? [signal] : [];
  });
}

/** Links that are cut when what they abort is gone. */
const unused = new FinalizationRegistry<() => void>((cut) => cut());
/** A controller lives as long as that which it aborts. */
const controllers = new WeakMap<object, AbortController>();

/** Has the signals abort `controller` for as long as anybody has `held`, and lets none of them keep it. */
export function abortWhileHeld(
  held: object,
  controller: AbortController,
  signals: readonly AbortSignal[],
): void {
  const weak = new WeakRef(controller);
  const cuts = signals.map((signal) =>
    onAbort(signal, () => weak.deref()?.abort(signal.reason as unknown)),
  );
  controllers.set(held, controller);
  unused.register(held, () => {
    for (const cut of cuts) cut();
  });
}
