import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  candidateFor,
  encodeReleaseRecord,
  isUnderWay,
  digestOf,
  readReleaseRecord,
  type ReleaseRecord,
  type ReleaseState,
} from './release-record.js';
import { startRelease } from './release-transitions.js';

const record: ReleaseRecord = {
  ...startRelease(
    {
      ...{ id: 'r1', layer: 'shared', format: 'json', base: '7', author: 'ann', reason: null },
      sha256: digestOf(Buffer.from('{}')),
      plan: { steps: [50, 100], labels: { canary: 'yes' }, observeMs: 0, applyTimeoutMs: 1 },
    },
    { id: 't1', by: 'ann', at: new Date(0) },
  ),
  step: 1,
  targets: ['a'],
};
/** As its key holds it. */
function entry(value: Buffer, mod_revision = '9'): IKeyValue {
  const key = Buffer.from(`release/${(keys += 1)}`);
  return { key, value, mod_revision, create_revision: '1', version: '1', lease: '0' };
}
let keys = 0;
const a = { instanceId: 'a', zone: 'z1', labels: {} };

afterEach(() => vi.restoreAllMocks());

describe('the record of a release', () => {
  it('is read as it was written', () => {
    expect(readReleaseRecord(entry(encodeReleaseRecord(record)))).toEqual(record);
  });

  const { targets: _, ...withoutTargets } = record;
  it.each([
    ['no JSON', '{'],
    ['no object', '"rolling"'],
    ['null', 'null'],
    ['a list', '[]'],
    ['without targets', JSON.stringify(withoutTargets)],
    ['with an unknown state', JSON.stringify({ ...record, state: 'done' })],
    ['with an unknown layer', JSON.stringify({ ...record, layer: 'rack:1' })],
    ['with a layer that is no string', JSON.stringify({ ...record, layer: 1 })],
    ['with an unknown format', JSON.stringify({ ...record, format: 'toml' })],
    ['with a step below zero', JSON.stringify({ ...record, step: -1 })],
    ['with targets that are no strings', JSON.stringify({ ...record, targets: [1] })],
    ['of no document', JSON.stringify({ ...record, sha256: undefined })],
    ['of an odd digest', JSON.stringify({ ...record, sha256: 'abc' })],
    ['made from no revision', JSON.stringify({ ...record, base: 'x' })],
    ['without steps', JSON.stringify({ ...record, plan: { ...record.plan, steps: [] } })],
    ['with a plan that is null', JSON.stringify({ ...record, plan: null })],
    [
      'with labels that are none',
      JSON.stringify({ ...record, plan: { ...record.plan, labels: { a: 1 } } }),
    ],
    ['with a history of null', JSON.stringify({ ...record, history: [null] })],
    ['with a history of something else', JSON.stringify({ ...record, history: [{ id: 1 }] })],
  ])('counts as none, with a warning, when it is %s', (_what, text) => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const found = entry(Buffer.from(text));
    for (const reader of [1, 2, 3]) {
      expect(readReleaseRecord({ ...found }), `reader ${reader}`).toBeNull();
    }
    expect(warn).toHaveBeenCalledOnce();
    expect(readReleaseRecord({ ...found, mod_revision: '10' })).toBeNull();
    expect(warn).toHaveBeenCalledTimes(2);
  });
});

describe('the document of a release', () => {
  it('is for its targets alone', () => {
    const { sha256 } = record;
    const candidate = { releaseId: 'r1', layer: 'shared', format: 'json', sha256 };
    expect(candidateFor(record, a)).toEqual(candidate);
    expect(candidateFor({ ...record, state: 'paused' }, a)).toEqual(candidate);
    expect(candidateFor(record, { ...a, instanceId: 'b' })).toBeNull();
    expect(candidateFor(null, a)).toBeNull();
  });

  it.each<ReleaseState>(['promoted', 'rolled-back', 'aborted'])(
    'is for nobody once it is %s',
    (state) => {
      expect(isUnderWay({ ...record, state })).toBe(false);
      expect(candidateFor({ ...record, state }, a)).toBeNull();
    },
  );

  it('is not for those who do not merge its layer', () => {
    expect(candidateFor({ ...record, layer: 'zone:z1' }, a)).not.toBeNull();
    expect(candidateFor({ ...record, layer: 'zone:z2' }, a)).toBeNull();
  });
});
