import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamableFile } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { currentLock } from './current-lock.js';
import { LockLostError } from './lock.errors.js';
import { LockReleasedError } from './lock-released.error.js';
import { runWithLock } from './run-with-lock.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { FakeLockHandle } from '../../../../test/support/fake-lock-handle.js';

let handle: FakeLockHandle;
beforeEach(() => {
  handle = new FakeLockHandle();
});
afterEach(() => void vi.useRealTimers());

describe('a stream that was returned', () => {
  const lines = () =>
    Readable.from(
      (async function* () {
        yield 'a';
        await sleep(1);
        yield currentLock() === handle ? 'in' : 'out';
      })(),
    );

  it('holds the lock until it is read, in its context', async () => {
    const stream = lines();
    const held = await runWithLock(handle, () => stream);
    expect(held).toBe(stream);
    expect(handle.release).not.toHaveBeenCalled();

    await expect(text(held)).resolves.toBe('ain');
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));
  });

  it('holds it for a StreamableFile, and for a stream of the web', async () => {
    const file = await runWithLock(handle, () => new StreamableFile(lines()));
    await expect(text(file.getStream())).resolves.toBe('ain');
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));

    const other = new FakeLockHandle();
    const web = await runWithLock(other, () => new Response('web').body!);
    expect(other.release).not.toHaveBeenCalled();
    await expect(new Response(web).text()).resolves.toBe('web');
    await vi.waitFor(() => expect(other.release).toHaveBeenCalledTimes(1));
  });

  it('releases when it is destroyed, and when it fails', async () => {
    const held = await runWithLock(handle, () => lines());
    held.destroy();
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));

    const other = new FakeLockHandle();
    const failing = await runWithLock(other, () => new PassThrough());
    const heard = failureOf(text(failing));
    failing.destroy(new Error('mine'));
    await expect(heard).resolves.toMatchObject({ message: 'mine' });
    await vi.waitFor(() => expect(other.release).toHaveBeenCalledTimes(1));
  });

  it('is destroyed with the loss', async () => {
    const held = await runWithLock(handle, () => new PassThrough());
    const heard = failureOf(text(held));
    held.write('a');
    const lost = handle.lose();

    await expect(heard).resolves.toBe(lost);
  });

  it('does not end well after a loss that no event has told of yet', async () => {
    const held = await runWithLock(handle, () => new PassThrough());
    const heard = failureOf(text(held));
    held.write('a');
    const lost = new LockLostError('stock', 7n, 'session-lost');
    Object.assign(handle, {
      signal: { aborted: true, reason: lost, removeEventListener: () => undefined },
    });
    vi.spyOn(handle, 'isValid').mockReturnValue(false);
    held.end();

    await expect(heard).resolves.toBe(lost);
  });

  it('is destroyed when nobody reads it in time', async () => {
    const held = await runWithLock(handle, () => lines(), { unusedMs: 10 });
    const failed = new Promise((resolve) => held.on('error', resolve));

    await expect(failed).resolves.toBeInstanceOf(LockReleasedError);
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));
  });
});
