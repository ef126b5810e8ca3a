import { setMaxListeners } from 'node:events';

/**
 * An abort signal that is right whenever it is read.
 *
 * A plain signal is aborted by a timer, and a timer waits for the event loop: code that
 * just blocked the loop, or was frozen with its process, would still read `false` from
 * it. This one runs `check` on every reading of `aborted` and `reason`, and `check` aborts
 * the controller if it is time. Signals that are derived from it, as by `AbortSignal.any`,
 * are plain ones.
 */
export function checkedSignal(controller: AbortController, check: () => void): AbortSignal {
  const { signal } = controller;
  const throwIfAborted = signal.throwIfAborted.bind(signal);
  Object.defineProperties(signal, {
    aborted: {
      configurable: true,
      get(): boolean {
        check();
        return Reflect.get(AbortSignal.prototype, 'aborted', signal);
      },
    },
    reason: {
      configurable: true,
      get(): unknown {
        check();
        return Reflect.get(AbortSignal.prototype, 'reason', signal);
      },
    },
    throwIfAborted: {
      configurable: true,
      value(): void {
        check();
        throwIfAborted();
      },
    },
  });
  // Many may wait for the same end.
  setMaxListeners(0, signal);
  return signal;
}
