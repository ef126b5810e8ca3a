import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { InvalidLockNameError } from '../../../libs/etcd-coordination/src/lock/lock-name.js';
import { InvalidLockOptionError } from '../../../libs/etcd-coordination/src/lock/lock.errors.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { Instance, NAMESPACE } from '../election/instance.js';

describe('what cannot be locked, or not so', () => {
  let server: EmbeddedEtcd;
  let a: Instance;
  let sent: number;

  beforeAll(async () => {
    server = await EmbeddedEtcd.start({ logger: false });
    a = await Instance.start('a', server.endpoint);
    sent = a.client.requestsSent;
  });
  afterAll(async () => {
    // Nothing was sent, and nothing was put.
    expect(a.client.requestsSent).toBe(sent);
    expect(await keysUnder(server.endpoint, `${NAMESPACE}/`)).toEqual([]);
    await a.close();
    await server.close();
  });

  const names: [unknown, string][] = [
    ['', 'is empty'],
    [undefined, 'is not a string'],
    [null, 'is not a string'],
    [42, 'is not a string'],
    [{}, 'is not a string'],
    ['a//b', 'holds "//"'],
    ['/a', 'starts or ends with "/"'],
    ['a/', 'starts or ends with "/"'],
    ['a\0', 'holds a NUL character'],
    ['\ud800', 'half of a surrogate pair'],
    ['x'.repeat(513), 'has 513 bytes'],
  ];
  it.each(names)('refuses %j as a name', async (name, fault) => {
    const { locks } = a;
    const key = name as string;
    for (const refused of [
      locks.acquire(key),
      locks.tryAcquire(key),
      locks.using(key, () => expect.unreachable()),
    ]) {
      await expect(refused).rejects.toThrow(InvalidLockNameError);
      await expect(refused).rejects.toThrow(fault);
    }
    for (const make of [
      () => locks.lock(key),
      () => locks.readWrite(key),
      () => locks.semaphore(key, 1),
      () => locks.multi(['a', key]),
    ]) {
      expect(make).toThrow(InvalidLockNameError);
    }
  });

  const options: [object | null, string][] = [
    [{ waitMs: -1 }, 'is -1'],
    [{ waitMs: NaN }, 'is not a number'],
    [{ waitMs: '5' }, 'is not a number'],
    [{ waitMs: 2 ** 31 }, 'is more than'],
    [{ holdAtLeastMs: -1 }, 'is -1'],
    [{ holdAtLeastMs: Infinity }, 'is more than'],
    [{ keep: 'yes' }, 'neither true nor false'],
    [{ reentrant: 1 }, 'neither true nor false'],
    [{ queue: 'redis' }, `neither 'local' nor 'etcd'`],
    [{ signal: {} }, 'is not an AbortSignal'],
    [{ waitMS: 5 }, 'is unknown'],
    [null, 'is none'],
  ];
  it.each(options)('refuses the options %j', async (given, fault) => {
    const asked = a.locks.acquire('x', given as never);
    await expect(asked).rejects.toThrow(InvalidLockOptionError);
    await expect(asked).rejects.toThrow(fault);
    await expect(a.locks.multi(['x', 'y']).acquire(given as never)).rejects.toThrow(
      InvalidLockOptionError,
    );
  });

  it.each([0, -1, 1.5, NaN, Infinity, '2', undefined, 1_000_001])(
    'refuses a semaphore with %j permits',
    (permits) => {
      expect(() => a.locks.semaphore('x', permits as number)).toThrow(InvalidLockOptionError);
    },
  );

  it('refuses what is for a lock that one holds at a time where several do', async () => {
    for (const lock of [a.locks.semaphore('x', 2), a.locks.readWrite('x').read]) {
      await expect(lock.acquire({ keep: true })).rejects.toThrow(InvalidLockOptionError);
      await expect(lock.acquire({ holdAtLeastMs: 5 })).rejects.toThrow(InvalidLockOptionError);
    }
  });

  it('refuses to lock no key at all', () => {
    expect(() => a.locks.multi([])).toThrow(InvalidLockOptionError);
    expect(() => a.locks.multi('ab' as never)).toThrow(InvalidLockOptionError);
  });
});
