import type { IKeyValue } from 'etcd3';
import { describe, expect, it } from 'vitest';
import { configCandidateKey, configLayerKey, configReleaseKey } from '../client/keys.js';
import { LiveKeys, sameState } from './live-keys.js';
import { digestOf, encodeReleaseRecord } from './release/release-record.js';
import { startRelease } from './release/release-transitions.js';

const DOCUMENT = Buffer.from('{"price": 2}');
const record = {
  ...startRelease(
    {
      ...({ id: 'r1', layer: 'shared', format: 'json', base: '1', author: 'ann' } as const),
      ...{ reason: null, sha256: digestOf(DOCUMENT) },
      plan: { steps: [100], labels: null, observeMs: 0, applyTimeoutMs: 1 },
    },
    { id: 't1', by: 'ann', at: new Date(0) },
  ),
  ...{ step: 1, targets: ['a'] },
};

function stateWith(candidate: Buffer | null, revision = '3') {
  const entries = new Map<string, IKeyValue>();
  const put = (path: string, value: Buffer, mod_revision: string) =>
    entries.set(path, {
      ...{ key: Buffer.from(path), value, mod_revision },
      ...{ create_revision: '1', version: '1', lease: '0' },
    });
  put(configLayerKey('ns', 'prices', ['shared']), Buffer.from('{"price": 1}'), '1');
  put(configReleaseKey('ns', 'prices'), encodeReleaseRecord(record), '2');
  if (candidate) put(configCandidateKey('ns', 'prices'), candidate, revision);
  return new LiveKeys('ns', 'prices', { instanceId: 'a', labels: {} }).read(entries);
}

describe("a release's document", () => {
  it('takes the place of its layer, if it is what was released', () => {
    expect(stateWith(DOCUMENT).candidate).toMatchObject({
      ...{ releaseId: 'r1', fault: null },
      documents: [{ layer: 'shared', document: DOCUMENT, revision: 3n }],
    });
  });

  it('counts for nothing if it is not there, or was overwritten by others, and says which', () => {
    const missing = stateWith(null);
    expect(missing.candidate).toMatchObject({
      ...{ documents: null, fault: 'its document is not there' },
    });
    const other = stateWith(Buffer.from('{"price": 666}'), '7');
    expect(other.candidate).toMatchObject({
      documents: null,
      fault: expect.stringContaining('was overwritten by others at revision 7'),
    });
    expect(other.documents).toHaveLength(1);
    expect(sameState(missing, other)).toBe(false);
  });
});
