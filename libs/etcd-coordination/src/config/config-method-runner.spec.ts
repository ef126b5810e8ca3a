import { afterEach, describe, expect, it, vi } from 'vitest';
import { Logger } from '@nestjs/common';
import { FakeConfigStore } from '../../../../test/support/fake-config-store.js';
import type { ConfigChange } from './config-change.js';
import { ConfigMethodRunner } from './config-method-runner.js';
import type { ConfigMethods } from './config.explorer.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A class with one marked method, whose objects are what `instances` gives. */
function runnerOf(
  store: FakeConfigStore,
  told: (value: unknown, change: ConfigChange) => unknown,
  instances: () => unknown = () => [{ told }],
) {
  const target = { className: 'Told', instances } as unknown as ConfigMethods;
  const method = { name: 'told', connection: 'default', declaration: {} } as never;
  return new ConfigMethodRunner(target, method, store.follow('n'));
}

describe('a runner of a method with @WatchConfig', () => {
  afterEach(() => vi.restoreAllMocks());

  it('tells one change at a time, in order, however fast they come', async () => {
    const store = new FakeConfigStore();
    store.set('n', 0);
    const log: string[] = [];
    const runner = runnerOf(store, async (value) => {
      log.push(`begin ${String(value)}`);
      await turn();
      log.push(`end ${String(value)}`);
    });
    const started = runner.start();
    store.set('n', 1);
    store.set('n', 2);
    await started;

    expect(log).toEqual(['begin 0', 'end 0', 'begin 1', 'end 1', 'begin 2', 'end 2']);
  });

  it('makes one change of the last ones where too many wait, and loses no difference', async () => {
    const store = new FakeConfigStore();
    store.set('n', { a: 0, b: 0 });
    const told: ConfigChange[] = [];
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const runner = runnerOf(store, async (_value, change) => {
      told.push(change);
      await held;
    });
    void runner.start();
    for (let i = 1; i <= 500; i += 1) store.set('n', { a: i, b: i < 300 ? 0 : 300 });
    release();
    await vi.waitFor(() => expect(told.at(-1)?.value).toEqual({ a: 500, b: 300 }));

    // The first, and as many as may wait.
    expect(told).toHaveLength(101);
    for (const [i, change] of told.entries()) {
      if (i > 0) expect(change.previous).toEqual(told[i - 1]!.value);
    }
    expect(told.at(-1)!.differences).toEqual([
      { path: ['a'], type: 'changed', before: 99, after: 500 },
      { path: ['b'], type: 'changed', before: 0, after: 300 },
    ]);
  });

  it('tells nothing after it was stopped, and lets go of the stream', async () => {
    const store = new FakeConfigStore();
    store.set('n', 0);
    const told = vi.fn<(value: unknown) => void>();
    const runner = runnerOf(store, told);
    await runner.start();
    expect(store.listeners).toBe(1);
    await runner.stop();
    store.set('n', 1);
    await turn();

    expect(store.listeners).toBe(0);
    expect(told).toHaveBeenCalledOnce();
  });

  it('goes on past an object that Nest cannot make', async () => {
    const errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const store = new FakeConfigStore();
    store.set('n', 0);
    const told: unknown[] = [];
    let made = 0;
    const instances = () => {
      if ((made += 1) === 1) return Promise.reject(new Error('a dependency is missing'));
      return [{ told: (value: unknown) => told.push(value) }];
    };
    const runner = runnerOf(store, () => undefined, instances);
    await runner.start();
    store.set('n', 1);
    await turn();

    expect(told).toEqual([1]);
    expect(String(errors.mock.calls[0])).toMatch(/could not make a Told for the configuration "n"/);
  });
});
