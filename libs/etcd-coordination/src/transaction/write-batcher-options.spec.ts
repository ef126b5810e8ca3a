import { expect, it } from 'vitest';
import { readWriteBatcherOptions } from './write-batcher-options.js';
import { InvalidWriteBatcherOptionsError } from './write-batcher.errors.js';

it('has defaults that etcd takes', () => {
  expect(readWriteBatcherOptions()).toEqual({
    ...{ windowMs: 0, maxOperations: 128, maxBytes: 2 ** 20 },
    ...{ maxPending: 16_384, maxPendingBytes: 2 ** 26 },
  });
  const most = { windowMs: 2.5, maxOperations: 2, maxBytes: 1.5 * 2 ** 20 };
  expect(readWriteBatcherOptions(most)).toMatchObject(most);
});

it.each<[string, unknown]>([
  ...[-1, NaN, Infinity, '5', null].map((given): [string, unknown] => ['windowMs', given]),
  ...[1, 129, 2.5, NaN, '8'].map((given): [string, unknown] => ['maxOperations', given]),
  ...[0, -1, 1.5 * 2 ** 20 + 1].map((given): [string, unknown] => ['maxBytes', given]),
  ...[0, NaN].map((given): [string, unknown] => ['maxPending', given]),
  ...[0, 0.5].map((given): [string, unknown] => ['maxPendingBytes', given]),
])('refuses %s: %s, and names what it takes', (option, given) => {
  const read = () => readWriteBatcherOptions({ [option]: given });
  expect(read).toThrow(InvalidWriteBatcherOptionsError);
  expect(read).toThrow(new RegExp(`"${option}" of the write batcher is .*; give .* from `));
});

it('refuses what is no object', () => {
  expect(() => readWriteBatcherOptions(5)).toThrow(InvalidWriteBatcherOptionsError);
  expect(() => readWriteBatcherOptions(null)).toThrow('give an object, or nothing');
});

it('refuses what it does not know, and says what it knows', () => {
  const read = () => readWriteBatcherOptions({ maxPendings: 5 });
  expect(read).toThrow(InvalidWriteBatcherOptionsError);
  expect(read).toThrow('"maxPendings" of the write batcher is not known; give none, or one of');
  expect(read).toThrow('maxPending, maxPendingBytes');
});
