/** How a timer behaves. */
export interface TimerOptions {
  /** It alone does not keep the process alive. */
  readonly unref?: boolean;
}

/**
 * A clock that never goes backwards, and its timers. A connection has one, and all that belongs to
 * the connection tells the time by it, so that tests can drive time.
 */
export interface MonotonicClock {
  /** Milliseconds since some fixed moment. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now. Returns what cancels it. */
  setTimer(callback: () => void, delayMs: number, options?: TimerOptions): () => void;
}

/**
 * The machine's monotonic clock. Wall-clock jumps do not touch it.
 * A suspended machine stops it; fencing tokens cover that case.
 */
export const systemClock: MonotonicClock = {
  now: () => performance.now(),
  setTimer(callback, delayMs, options) {
    const timer = setTimeout(callback, delayMs);
    if (options?.unref) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`; rejects with the signal's reason when that aborts before. */
export function pause(
  clock: MonotonicClock,
  ms: number,
  signal?: AbortSignal,
  options?: TimerOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const abort = () => {
      cancel();
      reject(signal!.reason as Error);
    };
    const cancel = clock.setTimer(
      () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      },
      ms,
      options,
    );
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Calls `callback` every `ms`, the first time that much from now. Returns what ends it. */
export function every(
  clock: MonotonicClock,
  ms: number,
  callback: () => void,
  options?: TimerOptions,
): () => void {
  let over = false;
  let cancel: () => void;
  const arm = () => {
    cancel = clock.setTimer(
      () => {
        callback();
        // It may have ended it.
        if (!over) arm();
      },
      ms,
      options,
    );
  };
  arm();
  return () => {
    over = true;
    cancel();
  };
}

/** A signal that aborts after `ms`, as `AbortSignal.timeout` makes them. It keeps no process alive. */
export function timeoutSignal(clock: MonotonicClock, ms: number): AbortSignal {
  const controller = new AbortController();
  clock.setTimer(
    () => controller.abort(new DOMException(`It took more than ${ms} ms.`, 'TimeoutError')),
    ms,
    { unref: true },
  );
  return controller.signal;
}
