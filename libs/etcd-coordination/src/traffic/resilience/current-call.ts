import { AsyncLocalStorage } from 'node:async_hooks';
import type { CallScope } from './call-scope.js';

/** What a function that runs under a policy is told. */
export interface CallContext {
  /**
   * Aborts when the attempt has taken too long or lost its race, and when the caller gives up or loses the
   * term or the lock that it calls under. To be passed on to whatever makes the call.
   */
  readonly signal: AbortSignal;
  /** 1 for the first one; retries and hedges are counted on. */
  readonly attempt: number;
}

/** One attempt, while it runs: its signal is made for who asks for it. */
export class RunningCall implements CallContext {
  constructor(
    readonly scope: CallScope,
    readonly attempt: number,
  ) {}

  get signal(): AbortSignal {
    return this.scope.signal;
  }
}

const storage = new AsyncLocalStorage<RunningCall>();

/** Runs `work` so that it, and all it starts, finds the call as the current one. */
export function runAsCurrent<T>(call: RunningCall, work: (call: CallContext) => T): T {
  return storage.run(call, work, call);
}

/** What ends the attempt that the running call chain stands in, or null outside of any. */
export function currentScope(): CallScope | null {
  return storage.getStore()?.scope ?? null;
}

/**
 * The attempt that the running call chain stands in, for methods decorated with `@Resilient`, which are
 * given nothing: its signal is to be passed on to whatever they call. Null outside of any.
 */
export function currentCall(): CallContext | null {
  return storage.getStore() ?? null;
}
