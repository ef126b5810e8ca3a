import type { IKeyValue } from 'etcd3';
import { describe, expect, it } from 'vitest';
import { decodeVersion, encodeForeignVersion, encodeVersion } from './config-history-record.js';

const at = new Date('2026-03-01T10:00:00.000Z');
const note = { author: 'ada', reason: 'sale', at, format: 'yaml' } as const;

function entry(value: Buffer | string, revision = '7'): IKeyValue {
  const [key, mod] = [Buffer.from('key'), revision];
  return {
    ...{ key, create_revision: revision, mod_revision: mod, version: '1', lease: '0' },
    value: Buffer.from(value),
  };
}

describe('an entry of a history', () => {
  it('says who, when, why and how, under a mark of its own, at the revision of its write', () => {
    const { id, value } = encodeVersion(3, Buffer.from('größe: 1'), '5', note);
    expect(decodeVersion(3, entry(value))).toEqual({
      ...{ sequence: 3, id, revision: 7n, author: 'ada', at, reason: 'sale', format: 'yaml' },
      ...{ deleted: false, size: 10, enteredAt: '7' },
    });
    expect(encodeVersion(3, null, '5', note).id).not.toBe(id);
    expect(JSON.parse(value.toString())).toMatchObject({
      replaced: '5',
      sha256: '3e55f36cc832921c5c65210e38bda786f849dc0fcd23b5dbddd1eed89075ad59',
    });
  });

  it('of a deletion has no document', () => {
    const { value } = encodeVersion(3, null, '5', { ...note, reason: null });
    expect(decodeVersion(3, entry(value))).toMatchObject({ deleted: true, size: 0, reason: null });
  });

  it('of a stranger’s write is at the revision of that, and of nobody', () => {
    const standing = entry('{}', '9');
    const put = encodeForeignVersion(4, { standing, newest: null }, '0');
    expect(decodeVersion(4, entry(put, '12'))).toMatchObject({
      ...{ revision: 9n, enteredAt: '12', author: null, at: null, reason: null, format: null },
      ...{ deleted: false, size: 2 },
    });
    const newest = decodeVersion(4, entry(encodeVersion(3, null, '5', note).value));
    const gone = encodeForeignVersion(5, { standing: null, newest }, '9');
    expect(decodeVersion(5, entry(gone, '13'))).toMatchObject({
      ...{ revision: null, enteredAt: '13', author: null, deleted: true, format: 'yaml' },
    });
  });

  it('that is none of ours counts as one of nobody', () => {
    const strange = [
      ...['', 'x', 'null', '[]', '1', '"a"', '{"author": 1, "at": 2, "revision": true}'],
      ...['{"at": "never", "format": "xml", "size": "1", "deleted": "yes", "id": null}'],
    ];
    for (const text of strange) {
      expect(decodeVersion(2, entry(text))).toMatchObject({
        ...{ sequence: 2, id: '', author: null, at: null, reason: null, format: null },
        ...{ deleted: false, size: 0 },
      });
    }
  });
});
