import type { IKeyValue } from 'etcd3';
import { describe, expect, it } from 'vitest';
import {
  byCreateRevision,
  countGranted,
  lockRule,
  permitsRule,
  type QueueEntry,
  readQueueKey,
} from './queue-entry.js';

const PREFIX = 'ns/lock/l/queue/';

describe('a key in a queue', () => {
  const read = (segment: string, lease: string) => readQueueKey(PREFIX, kvOf(segment, 5, lease));

  it('is an entry, of a writer or a reader', () => {
    expect(read('1f-0-w', '31')).toMatchObject({ key: `${PREFIX}1f-0-w`, shared: false });
    expect(read('1f-12-r', '31')).toMatchObject({ key: `${PREFIX}1f-12-r`, shared: true });
  });

  it('is an orphan off the lease that it is named for', () => {
    expect(read('1f-0-w', '31')).toMatchObject({ orphan: false });
    expect(read('1f-0-w', '0')).toMatchObject({ orphan: true });
    expect(read('1f-0-w', '32')).toMatchObject({ orphan: true });
    // Beyond what a number can tell apart.
    expect(read('7fffffffffffffff-0-w', '9223372036854775807')).toMatchObject({ orphan: false });
    expect(read('7fffffffffffffff-0-w', '9223372036854775806')).toMatchObject({ orphan: true });
  });

  it('is the one that holds everybody up, whoever put it', () => {
    expect(read('hold', '31')).toBe('hold');
    expect(read('hold', '0')).toBe('hold');
  });

  it.each(['', 'holds', '1f-0', '1f-0-x', '01f-0-w', '1F-0-w', '1f-00-w', '1f-0-w/', 'junk'])(
    'is a stranger: %j',
    (segment) => expect(read(segment, '31')).toBeNull(),
  );
});

describe('the order of a queue', () => {
  const sorted = (...entries: QueueEntry[]) =>
    [...entries].sort(byCreateRevision).map(({ key }) => key.slice(PREFIX.length));

  it('is that of create revisions as numbers, whatever changed later', () => {
    const changed = writer('1', 999);
    const later = { ...changed, kv: { ...changed.kv, mod_revision: '5000' } };
    expect(sorted(writer('2', 1000), later, writer('3', 10_001))).toEqual([
      '1-0-w',
      '2-0-w',
      '3-0-w',
    ]);
  });

  it('is that of the keys where one transaction put several', () => {
    expect(sorted(writer('b', 7), writer('a', 7))).toEqual(['a-0-w', 'b-0-w']);
    expect(sorted(writer('a', 7), writer('b', 7))).toEqual(['a-0-w', 'b-0-w']);
  });
});

describe('who has what a queue is for', () => {
  const [w, r] = [writer('1', 1), reader('2', 2)];
  const orphan = { ...w, orphan: true };

  it.each([
    ['nobody in an empty queue', [], 0],
    ['a writer alone', [w], 1],
    ['the first of two writers', [w, w], 1],
    ['a writer before readers', [w, r, r], 1],
    ['a reader alone', [r], 1],
    ['all readers', [r, r, r], 3],
    ['the readers before the first writer, and none behind it', [r, r, w, r], 2],
  ])('of a lock: %s', (_, entries, granted) => {
    expect(countGranted(entries, false, lockRule)).toBe(granted);
  });

  it.each([
    ['nobody in an empty queue', [], 0],
    ['everybody while there are permits', [w, w], 2],
    ['as many as there are permits', [w, w, w], 3],
    ['no more than that', [w, w, w, w, w], 3],
  ])('of a semaphore: %s', (_, entries, granted) => {
    expect(countGranted(entries, false, permitsRule(3))).toBe(granted);
  });

  it('is nobody behind an orphan, and not the orphan', () => {
    expect(countGranted([orphan, w], false, lockRule)).toBe(0);
    expect(countGranted([r, { ...r, orphan: true }, r], false, lockRule)).toBe(1);
    expect(countGranted([w, orphan, w], false, permitsRule(3))).toBe(1);
    // It would not have it either.
    expect(countGranted([w, orphan], false, lockRule)).toBe(1);
  });

  it('is nobody while the queue is held', () => {
    expect(countGranted([w], true, lockRule)).toBe(0);
    expect(countGranted([r, r], true, lockRule)).toBe(0);
    expect(countGranted([w, w], true, permitsRule(3))).toBe(0);
  });
});

function kvOf(segment: string, revision: number, lease: string): IKeyValue {
  return {
    key: Buffer.from(PREFIX + segment),
    value: Buffer.from('{"id":"me"}'),
    create_revision: `${revision}`,
    mod_revision: `${revision}`,
    version: '1',
    lease,
  };
}

function entryOf(lease: string, revision: number, shared: boolean): QueueEntry {
  const segment = `${lease}-0-${shared ? 'r' : 'w'}`;
  const kv = kvOf(segment, revision, BigInt(`0x${lease}`).toString());
  return { kv, key: PREFIX + segment, shared, orphan: false };
}

function writer(lease: string, revision: number): QueueEntry {
  return entryOf(lease, revision, false);
}

function reader(lease: string, revision: number): QueueEntry {
  return entryOf(lease, revision, true);
}
