import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, it, vi, type MockInstance } from 'vitest';
import { instanceKey, verdictKey } from '../client/keys.js';
import { InstanceTable } from './instance-table.js';

const RECORD = { address: 'http://10.0.0.1:3000', state: 'up' };

let table: InstanceTable;
let warn: MockInstance;

beforeEach(() => {
  table = new InstanceTable('app', 'stock');
  warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});
afterEach(() => warn.mockRestore());

function put(key: string, value: unknown, lease = '7'): void {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const change = { key, value: Buffer.from(text), lease, createRevision: '1' };
  table.take([change], new Map());
}

function remove(key: string): void {
  table.take([{ key, value: null, lease: '0', createRevision: '0' }], new Map());
}

const key = instanceKey('app', 'stock', 'a');
const probe = verdictKey('app', 'stock', 'a', 'probe');

it('warns once of what is no record, and again when it was good meanwhile', () => {
  put(key, 'nonsense');
  put(key, 'nonsense again');
  expect(table.refresh('a', false)).toBeNull();
  expect(warn).toHaveBeenCalledTimes(1);
  put(key, RECORD);
  expect(table.refresh('a', false)?.state).toBe('up');
  put(key, '{}');
  expect(warn).toHaveBeenCalledTimes(2);
});

it('shows an instance without a lease, and warns of it', () => {
  put(key, RECORD, '0');
  expect(table.refresh('a', false)?.lease).toBe('0');
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('has no lease'));
});

it('warns of a verdict that is none, and of a key that is neither', () => {
  put(probe, '{"state":"ill"}');
  put('app/registry/stock/other/a', '1');
  expect(warn).toHaveBeenCalledTimes(2);
});

it('keeps the last word of the prober for one that is protected, and forgets it when it registers again', () => {
  put(key, RECORD);
  put(probe, { state: 'down', by: 'p', reason: 'refused' });
  remove(key);
  remove(probe);
  expect(table.refresh('a', true)).toMatchObject({ isProtected: true, state: 'down' });
  put(key, RECORD);
  expect(table.refresh('a', false)).toMatchObject({ isProtected: false, state: 'up' });
});

it('knows nothing more of one that is gone', () => {
  put(key, RECORD);
  put(probe, { state: 'down', by: 'p' });
  expect(table.keysBut(new Set())).toEqual([key, probe]);
  remove(key);
  remove(probe);
  table.forget('a');
  expect(table.refresh('a', false)).toBeNull();
  expect(table.keysBut(new Set())).toEqual([]);
});
