import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { concat, defer, from, lastValueFrom, NEVER, Observable, of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../../test/support/wait-for.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import { InvalidKeyArgumentError } from '../nest/invalid-key-argument.error.js';
import { currentLock } from './current-lock.js';
import { DistributedLock } from './distributed-lock.decorator.js';
import { LockBusyError } from './lock.errors.js';
import { boot, locks, onLockGateStage } from '../../../../test/support/lock-gate-stage.js';

onLockGateStage();

/** Not a class: nothing is told of it in metadata. */
type Told = Observable<string> & object;

describe('@DistributedLock on a method that gives many values', () => {
  @Injectable()
  class Streams {
    readonly began: string[] = [];

    @DistributedLock('rows/{table}')
    rows(table: string): Observable<string> {
      this.began.push(table);
      return concat(
        of(`${table} 1`),
        defer(() => of(`${table} ${currentLock()?.token}`)),
      );
    }

    @DistributedLock('rows/{table}', { onBusy: 'throw' })
    rowsOrNot(table: string): Observable<string> {
      return concat(of(table), NEVER);
    }

    @DistributedLock('rows/{table}')
    async *iterate(table: string): AsyncGenerator<string> {
      this.began.push(table);
      yield `${table} ${currentLock()?.token}`;
      await sleep(1);
      yield `${table} ${currentLock()?.token}`;
    }

    @DistributedLock('rows/{table}')
    iterable(table: string): AsyncIterable<string> {
      return this.iterateFreely(table);
    }

    @DistributedLock('rows/{table}')
    async later(table: string): Promise<AsyncIterable<string>> {
      return this.iterateFreely(table);
    }

    // As when its class was imported as a type: nothing tells of it.
    @DistributedLock('rows/{table}')
    untold(table: string): Told {
      return defer(() => of(`${table} ${currentLock()?.token}`));
    }

    private async *iterateFreely(table: string) {
      yield `${table} ${currentLock()?.token}`;
    }
  }
  const streams = async () => (await boot([Streams])).get(Streams);

  async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
    const seen: T[] = [];
    for await (const value of values) seen.push(value);
    return seen;
  }

  it('locks an Observable for each subscription, not for the call', async () => {
    const it = await streams();
    const rows = it.rows('a');
    await settle();
    expect(it.began).toEqual([]);
    expect(locks.asked).toEqual([]);

    const both = await Promise.all([1, 2].map(() => lastValueFrom(rows.pipe(toArray()))));
    expect(both).toEqual([
      ['a 1', 'a 1'],
      ['a 1', 'a 2'],
    ]);
    expect(it.began).toEqual(['a', 'a']);
    expect(locks.held.size).toBe(0);
  });

  it('gives up waiting when an Observable is unsubscribed from', async () => {
    const it = await streams();
    const grant = locks.take('rows/a');
    const subscription = it.rows('a').subscribe();
    await waitFor(() => locks.waiting('rows/a') === 1, { what: 'the subscription to wait' });
    subscription.unsubscribe();
    expect(locks.waiting('rows/a')).toBe(0);
    await grant.release();
    expect(it.began).toEqual([]);
  });

  it('lets the lock go that it got as it was unsubscribed from', async () => {
    const it = await streams();
    const subscription = it.rowsOrNot('a').subscribe();
    await Promise.resolve();
    await Promise.resolve();
    subscription.unsubscribe();
    await waitFor(() => locks.asked.length === 1 && !locks.held.has('rows/a'), {
      what: 'the lock to be free',
    });
  });

  it('releases an Observable that is left, and gives its errors to who subscribed', async () => {
    const it = await streams();
    const subscription = it.rowsOrNot('a').subscribe();
    await waitFor(() => locks.held.has('rows/a'), { what: 'the lock' });
    await expect(lastValueFrom(it.rowsOrNot('a'))).rejects.toThrow(LockBusyError);
    await expect(lastValueFrom(it.rowsOrNot(null as never))).rejects.toThrow(
      InvalidKeyArgumentError,
    );
    subscription.unsubscribe();
    await waitFor(() => !locks.held.has('rows/a'), { what: 'the lock to be free' });
  });

  it('locks an async generator when it is first asked for a value, and until it ends', async () => {
    const it = await streams();
    const values = it.iterate('a');
    await settle();
    expect(locks.asked).toEqual([]);

    await expect(values.next()).resolves.toEqual({ done: false, value: 'a 1' });
    expect(locks.held.has('rows/a')).toBe(true);
    await expect(all(values)).resolves.toEqual(['a 1']);
    expect(locks.held.size).toBe(0);
    await expect(values.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('releases an async generator that is left early', async () => {
    const it = await streams();
    for await (const _ of it.iterate('a')) break;
    expect(locks.held.size).toBe(0);
  });

  it('gives up waiting when an async generator is left', async () => {
    const it = await streams();
    const grant = locks.take('rows/a');
    const values = it.iterate('a');
    const first = values.next();
    await waitFor(() => locks.waiting('rows/a') === 1, { what: 'the generator to wait' });
    await expect(values.return('x')).resolves.toEqual({ done: true, value: 'x' });
    await expect(first).resolves.toEqual({ done: true, value: undefined });
    expect(locks.waiting('rows/a')).toBe(0);
    await grant.release();
    await expect(values.next()).resolves.toEqual({ done: true, value: undefined });
    expect(it.began).toEqual([]);
  });

  it('takes no lock for an async generator that is left before it began', async () => {
    const it = await streams();
    const values = it.iterate('a');
    await values.return(undefined);
    await expect(values.next()).resolves.toEqual({ done: true, value: undefined });
    await expect(it.iterate('a').throw(new Error('mine'))).rejects.toThrow('mine');
    expect(locks.asked).toEqual([]);
  });

  it('gives an Observable of which no type tells before the call', async () => {
    const it = await streams();

    await expect(lastValueFrom(it.untold('a'))).resolves.toBe('a 1');
    await expect(lastValueFrom(it.untold('a').pipe(toArray()))).resolves.toEqual(['a 2']);
    await expect(lastValueFrom(from(it.untold('a')))).resolves.toBe('a 3');
    await expect(Promise.resolve(it.untold('a'))).resolves.toBeInstanceOf(Observable);
  });

  it('iterates over what was declared as an async iterable, or is promised', async () => {
    const it = await streams();

    await expect(all(it.iterable('a'))).resolves.toEqual(['a 1']);
    await expect(all(await it.later('a'))).resolves.toEqual(['a 2']);
    expect(locks.held.size).toBe(0);
  });
});
