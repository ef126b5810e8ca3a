import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  decodeSnapshot,
  encodeSnapshot,
  peekWriter,
  UndecodableSnapshot,
} from './snapshot-codec.js';
import type { SnapshotContent } from './snapshot-content.js';

const HEADER = { writer: 'writer-1', writtenAt: '2026-01-02T03:04:05.678Z' };
const CONTENT: SnapshotContent = {
  namespace: 'shop',
  service: 'orders',
  clusterId: '123',
  configurations: [
    {
      key: '__proto__',
      savedAt: HEADER.writtenAt,
      documents: [
        {
          layer: 'zone:eu',
          revision: '9223372036854775807',
          document: '{"password": "hunter2"}\n€',
        },
      ],
    },
    { key: 'default', savedAt: HEADER.writtenAt, documents: [] },
  ],
};
const KEY = randomBytes(32);

function reason(data: Buffer, key: Buffer | null): string | null {
  try {
    decodeSnapshot(data, key);
    return null;
  } catch (error) {
    if (error instanceof UndecodableSnapshot) return error.reason;
    throw error;
  }
}

/** With what each begins. */
const NAME = 'nestjs-etcd-coordination snapshot ';

describe.each([
  ['as it is', null],
  ['encrypted', KEY],
])('a snapshot %s', (_, key) => {
  const data = encodeSnapshot(CONTENT, HEADER, key);

  it('is read as it was written', () => {
    expect(decodeSnapshot(data, key)).toEqual({ header: HEADER, content: CONTENT });
    expect(peekWriter(data.subarray(0, 1024))).toBe('writer-1');
  });

  it('that ends too early, at whichever byte, is refused', () => {
    for (let length = 0; length < data.length; length++) {
      expect(reason(data.subarray(0, length), key), `of ${length} bytes`).toBe('corrupt');
    }
  });

  it('in which any bit is flipped is refused', () => {
    for (let at = 0; at < data.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(data);
        flipped[at]! ^= 1 << bit;
        // Without the first words it may be anybody's file.
        const expected = at < NAME.length ? /^foreign$/ : /^(corrupt|version)$/;
        expect(reason(flipped, key), `bit ${bit} of byte ${at}`).toMatch(expected);
      }
    }
  });

  it('that goes on after its end is refused', () => {
    expect(reason(Buffer.concat([data, Buffer.from('\n')]), key)).toBe('corrupt');
    expect(reason(Buffer.concat([data, data]), key)).toBe('corrupt');
  });
});

describe('an encrypted snapshot', () => {
  const data = encodeSnapshot(CONTENT, HEADER, KEY);

  it('shows nothing of what it holds', () => {
    for (const part of ['hunter2', 'password', 'shop', 'orders', 'zone']) {
      expect(data.includes(part)).toBe(false);
    }
    expect(encodeSnapshot(CONTENT, HEADER, null).includes('hunter2')).toBe(true);
  });

  it('is another one each time: no nonce is used twice', () => {
    const all = Array.from({ length: 100 }, () =>
      encodeSnapshot(CONTENT, HEADER, KEY).toString('hex'),
    );
    expect(new Set(all).size).toBe(100);
  });

  it('is read with its key alone', () => {
    expect(reason(data, randomBytes(32))).toBe('wrong-key');
    expect(reason(data, null)).toBe('encrypted');
  });

  it('cannot be replaced by one that is not', () => {
    expect(reason(encodeSnapshot(CONTENT, HEADER, null), KEY)).toBe('not-encrypted');
  });

  it('cannot be given another date, even with a checksum that fits', async () => {
    const { createHash } = await import('node:crypto');
    const rest = data.subarray(data.indexOf('\n') + 1);
    const older = Buffer.from(
      rest.toString('latin1').replace('2026-01-02', '2026-01-03'),
      'latin1',
    );
    const sum = createHash('sha256').update(older).digest('hex');
    const forged = Buffer.concat([
      Buffer.from(`nestjs-etcd-coordination snapshot 1 ${sum}\n`),
      older,
    ]);
    expect(reason(forged, KEY)).toBe('wrong-key');
  });
});

it('a snapshot of a later version is said to be one', () => {
  const data = encodeSnapshot(CONTENT, HEADER, null);
  const later = Buffer.from(data.toString().replace('snapshot 1 ', 'snapshot 2 '));
  expect(reason(later, null)).toBe('version');
});

it.each([
  ['no namespace', { ...CONTENT, namespace: undefined }],
  ['a layer that is none', entry({ layer: 'planet:x', revision: '1', document: '' })],
  ['a revision that is none', entry({ layer: 'shared', revision: '-1', document: '' })],
  ['a document that is none', entry({ layer: 'shared', revision: '1', document: null })],
  [
    'a date that is none',
    { ...CONTENT, configurations: [{ key: 'a', savedAt: 'x', documents: [] }] },
  ],
  ['no configurations', { ...CONTENT, configurations: {} }],
  ['nothing', null],
])('a snapshot of %s is refused, whatever its checksum says', (_, content) => {
  expect(reason(encodeSnapshot(content as SnapshotContent, HEADER, null), null)).toBe('corrupt');
});

function entry(document: object): object {
  return {
    ...CONTENT,
    configurations: [{ key: 'a', savedAt: HEADER.writtenAt, documents: [document] }],
  };
}
