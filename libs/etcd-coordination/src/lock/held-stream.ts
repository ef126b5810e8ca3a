import { finished, Readable } from 'node:stream';
import type { LockHold } from './lock-hold.js';

/** Whether it is a readable stream of Node's, or one made like it. */
export function isReadable(value: unknown): value is Readable {
  if (value instanceof Readable) return true;
  const { pipe, _read } = (value ?? {}) as Partial<Readable>;
  return typeof pipe === 'function' && typeof _read === 'function';
}

/**
 * The same stream, but read in the lock's context, with the lock held until it is closed. The
 * lock's loss destroys it with that error, and so does nobody's reading it for too long.
 */
export function heldStream<T extends Readable>(stream: T, hold: LockHold): T {
  const refusal = hold.enter();
  if (refusal) {
    stream.destroy(refusal.error as Error);
    return stream;
  }
  const lose = () => stream.destroy(hold.lost() ?? undefined);
  const cancelUnused = hold.clock.setTimer(
    () => {
      if (!isRead(stream)) stream.destroy(hold.released(hold.unusedMs));
    },
    hold.unusedMs,
    { unref: true },
  );
  hold.signal.addEventListener('abort', lose);
  finished(stream, { writable: false }, () => {
    cancelUnused();
    hold.signal.removeEventListener('abort', lose);
    void hold.leave();
  });

  const read = stream._read.bind(stream);
  const push = stream.push.bind(stream);
  stream._read = (size) => hold.run(() => read(size));
  // The event loop may have been blocked: the clock is asked before the end is told, too.
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (!hold.lost()) return push(chunk, encoding);
    lose();
    return false;
  };
  return stream;
}

function isRead(stream: Readable): boolean {
  return (
    stream.readableFlowing !== null ||
    stream.readableDidRead ||
    stream.listenerCount('readable') > 0
  );
}
