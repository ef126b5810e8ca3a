import { ReadableStream } from 'node:stream/web';
import { StreamableFile } from '@nestjs/common';
import { isObservable } from 'rxjs';
import { systemClock, type MonotonicClock } from '../client/clock.js';
import { heldIterable, isAsyncIterable } from './held-iterable.js';
import { heldObservable } from './held-observable.js';
import { heldStream, isReadable } from './held-stream.js';
import type { LockHandle } from './lock-handle.js';
import { LockHold } from './lock-hold.js';

/** Milliseconds after which a lock is released if nobody uses the stream that was returned under it. */
export const UNUSED_MS = 30_000;

/** What {@link runWithLock} is to know of its surroundings. */
export interface RunWithLockOptions {
  /** Milliseconds after which what nobody uses releases the lock. Default 30000. */
  readonly unusedMs?: number;
  /** Is told of what goes on after the call: the promise resolves when the lock is released. */
  readonly track?: (over: Promise<void>) => void;
  /** Default the machine's. */
  readonly clock?: MonotonicClock;
}

/**
 * Runs `work` in the context of a lock that was granted, and releases it when the work is over.
 *
 * An Observable, an async iterator, a stream of Node's or the web's, and Nest's `StreamableFile`
 * are work that goes on: what is returned in their place runs in the lock's context too, and holds
 * the lock until it completes, fails or is given up. It ends with the `LockLostError` when the lock
 * is lost. If nobody begins to use it within 30 s, the lock is released, and a later use fails with
 * a `LockReleasedError`. The handle is released exactly once.
 *
 * @throws {LockLostError} if the lock was lost meanwhile, once the work has ended; its `cause` is the
 *   work's own error, if that says more than that the lock's signal aborted
 * @throws what the work throws otherwise; a release that fails changes nothing of that
 */
export async function runWithLock<T>(
  handle: LockHandle,
  work: (lock: LockHandle) => T | PromiseLike<T>,
  { unusedMs = UNUSED_MS, track, clock = systemClock }: RunWithLockOptions = {},
): Promise<T> {
  const hold = new LockHold(handle, unusedMs, clock);
  let result: T;
  try {
    const returned = hold.run(() => work(handle));
    // What is no promise is awaited inside: a thenable that starts when it is asked, as query
    // builders do, is work as well. Otherwise no more promises than it takes: a kept lock costs less.
    result = await (isOwnThenable(returned) ? hold.run(async () => await returned) : returned);
  } catch (error) {
    const failure = await hold.leave({ error });
    throw failure?.error;
  }
  const lasting = heldFor(result, hold);
  if (lasting) {
    const over = hold.handOn();
    track?.(over);
    return lasting as T;
  }
  const failure = await hold.leave();
  if (failure) throw failure.error;
  return result;
}

/** Whether it is to be awaited, and more than a promise: what its `then` does is its own. */
function isOwnThenable(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise && value.constructor === Promise) return false;
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function';
}

/** What goes on after it was returned, so that it holds the lock; null for what does not. */
function heldFor(result: unknown, hold: LockHold): unknown {
  if (isObservable(result)) return heldObservable(result, hold);
  if (result instanceof StreamableFile) {
    heldStream(result.getStream(), hold);
    return result;
  }
  if (isReadable(result)) return heldStream(result, hold);
  if (!isAsyncIterable(result)) return null;
  const held = heldIterable(result, hold);
  // It is known by private fields, which a Proxy lacks.
  return result instanceof ReadableStream ? ReadableStream.from(held) : held;
}
