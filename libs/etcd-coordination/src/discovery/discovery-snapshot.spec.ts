import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { tempFolder } from '../../../../test/support/temp-folder.js';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import { DiscoverySnapshot, type SavedList } from './discovery-snapshot.js';

const LIST: SavedList = {
  entries: [{ key: 'ns/registry/s/instance/a', value: '{}', lease: '7', createRevision: '12' }],
};

describe('a snapshot of the instances', () => {
  let file: string;
  let clock: VirtualClock;
  let warned: MockInstance;
  let open: DiscoverySnapshot[];

  beforeEach(() => {
    file = join(tempFolder('instances'), 'instances');
    clock = new VirtualClock();
    open = [];
    vi.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
    warned = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  });
  afterEach(async () => {
    for (const snapshot of open) await snapshot.close();
    vi.restoreAllMocks();
  });

  async function opened(namespace = 'ns'): Promise<DiscoverySnapshot> {
    const snapshot = new DiscoverySnapshot(file, namespace, clock);
    open.push(snapshot);
    await snapshot.open();
    return snapshot;
  }
  /** What a process that ends in order leaves. */
  async function written(): Promise<Buffer> {
    const snapshot = await opened();
    snapshot.keep('s', () => LIST);
    await snapshot.close();
    return readFile(file);
  }
  const warnings = () => warned.mock.calls.flat() as string[];

  it('is read as it was written', async () => {
    await written();
    expect((await opened()).read('s')).toMatchObject(LIST);
    expect(warnings()).toEqual([]);
  });

  it.each<[string, RegExp, (good: Buffer) => Buffer | string]>([
    ['is no JSON', /truncated or was changed/, (good) => `${firstLine(good)}\n{"namespace":`],
    ['is no JSON, and well signed', /cannot be read \(SyntaxError/, () => signed('no JSON')],
    ['is of another shape', /truncated or was changed/, () => signed('{"services":{}}')],
    ['is truncated', /truncated or was changed/, (good) => good.subarray(0, good.length - 20)],
    ['ends in its first line', /truncated or was changed/, (good) => good.subarray(0, 40)],
    [
      'was changed by hand',
      /truncated or was changed/,
      (good) => good.toString().replace('"7"', '"8"'),
    ],
    [
      'is of another version',
      /is of the format version 2, which this version of the library does not know/,
      (good) => good.toString().replace('instances 1 ', 'instances 2 '),
    ],
  ])('that %s is passed over with a word, and written anew', async (_, why, spoil) => {
    await writeFile(file, spoil(await written()));
    const snapshot = await opened();
    expect(snapshot.read('s')).toBeNull();
    expect(warnings()).toEqual([expect.stringMatching(why)]);
    expect(warnings()[0]).toContain(JSON.stringify(file));
    snapshot.keep('s', () => LIST);
    await snapshot.close();
    expect((await opened()).read('s')).toMatchObject(LIST);
    expect(warnings()).toHaveLength(1);
  });

  it.each<[string, RegExp, string, string]>([
    ['something else', /is a file of something else/, '{"my":"notes"}', 'ns'],
    ['another namespace', /is of the namespace "ns"/, '', 'other'],
  ])('of %s is passed over with a word, and left as it is', async (_, why, text, namespace) => {
    await written();
    if (text !== '') await writeFile(file, text);
    const before = await readFile(file);
    const snapshot = await opened(namespace);
    expect(snapshot.read('s')).toBeNull();
    snapshot.keep('s', () => LIST);
    await snapshot.close();
    expect(await readFile(file)).toEqual(before);
    expect(warnings()).toEqual([expect.stringMatching(why)]);
  });

  it('that cannot be read, or written, is said once', async () => {
    await mkdir(file);
    const snapshot = await opened();
    expect(warnings()).toEqual([expect.stringMatching(/cannot be read/)]);
    for (let round = 0; round < 2; round += 1) {
      snapshot.keep('s', () => LIST);
      await clock.advance(2000);
    }
    await snapshot.close();
    expect(warnings()).toEqual([
      expect.stringMatching(/cannot be read/),
      expect.stringMatching(/cannot be written/),
    ]);
  });

  it('is still kept by its connection when another one of the process is closed that never read it', async () => {
    await opened();
    await new DiscoverySnapshot(file, 'ns', clock).close();
    await opened();
    expect(warnings()).toEqual([expect.stringMatching(/is kept by another connection/)]);
  });

  it('that is empty is nobody’s', async () => {
    await writeFile(file, '');
    await written();
    expect((await opened()).read('s')).toMatchObject(LIST);
    expect(warnings()).toEqual([]);
  });
});

function signed(body: string): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return `nestjs-etcd-coordination instances 1 ${digest}\n${body}`;
}

function firstLine(data: Buffer): string {
  return data.subarray(0, data.indexOf('\n')).toString();
}
