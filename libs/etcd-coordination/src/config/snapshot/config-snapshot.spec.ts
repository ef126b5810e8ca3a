import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import {
  chmod,
  mkdir,
  readdir,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { tempFolder } from '../../../../../test/support/temp-folder.js';
import { waitFor } from '../../../../../test/support/wait-for.js';
import type { RawDocument } from '../config-evaluator.js';
import type { ConfigLayer } from '../config-layer.js';
import { ConfigSnapshot } from './config-snapshot.js';
import type { SnapshotOptions } from './snapshot-options.js';
import { SnapshotInUseError } from './snapshot.errors.js';

const OWNER = { connection: 'default', namespace: 'shop', service: 'orders' };
const LAYERS: ConfigLayer[] = ['shared', 'service:orders', 'instance:i-1'];

let folder: string;
let file: string;
let warnings: string[];

beforeEach(() => {
  folder = tempFolder('snapshot');
  file = join(folder, 'config.snapshot');
  warnings = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation(
    (message) => void warnings.push(String(message)),
  );
});
afterEach(() => void vi.restoreAllMocks());

async function open(
  options: Partial<SnapshotOptions> = {},
  owner = OWNER,
): Promise<ConfigSnapshot> {
  const snapshot = new ConfigSnapshot({ file, ...options }, owner);
  onTestFinished(() => snapshot.close());
  await snapshot.open();
  return snapshot;
}

function documents(text: string, layer: ConfigLayer = 'shared', revision = 7n): RawDocument[] {
  return [{ layer, document: Buffer.from(text), revision }];
}

const state = (text: string, layer?: ConfigLayer) => ({
  documents: documents(text, layer),
  savedAt: new Date(),
  clusterId: 'c-1',
});

/** Writes a snapshot as a process does that runs and ends. */
async function write(
  text: string,
  options: Partial<SnapshotOptions> = {},
  owner = OWNER,
): Promise<void> {
  const snapshot = await open(options, owner);
  snapshot.keep('prices', state(text));
  await snapshot.close();
}

const read = (snapshot: ConfigSnapshot) =>
  snapshot.read('prices', LAYERS)?.documents[0]?.document.toString();

const isRoot = process.getuid?.() === 0;

function mountTmpfs(path: string, options: string): boolean {
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]).status !== 0) return false;
  onTestFinished(() => void spawnSync('umount', [path]));
  return true;
}

describe('a snapshot', () => {
  it('gives the next start what the last one kept', async () => {
    const first = await open();
    expect([first.size, first.error, first.read('prices', LAYERS)]).toEqual([0, null, null]);
    const saved = { documents: documents('{"a": "€"}'), savedAt: new Date(1e12), clusterId: 'c-1' };
    first.keep('prices', saved);
    first.keep('empty', { ...saved, documents: [] });
    await first.close();
    const second = await open();
    expect(second.error).toBeNull();
    expect(second.read('prices', LAYERS)).toEqual(saved);
    expect(second.read('empty', LAYERS)).toEqual({ ...saved, documents: [] });
    expect(second.read('other', LAYERS)).toBeNull();
  });

  it('takes what is kept before it is opened, and writes nothing to a file that is not its own', async () => {
    await write('old');
    const early = new ConfigSnapshot({ file }, OWNER);
    early.keep('prices', state('new'));
    await early.open();
    expect(read(early)).toBe('new');
    await early.close();
    const unopened = new ConfigSnapshot({ file }, OWNER);
    unopened.keep('prices', state('unopened'));
    await unopened.close();
    expect(read(await open())).toBe('new');
  });

  it('gives an instance its own layers only', async () => {
    const first = await open();
    const all = [
      ...documents('1'),
      ...documents('2', 'zone:eu'),
      ...documents('3', 'instance:i-0'),
    ];
    first.keep('prices', { ...state(''), documents: all });
    await first.close();
    const second = await open();
    expect(second.read('prices', LAYERS)?.documents).toEqual(documents('1'));
  });

  it('is written soon after a change, once for many, and read by its owner alone', async () => {
    const snapshot = await open();
    for (let i = 0; i < 100; i++) snapshot.keep('prices', state(`${i}`));
    expect(existsSync(file)).toBe(false);
    await waitFor(() => existsSync(file), { what: 'the snapshot', timeoutMs: 2000 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['config.snapshot']);
    await snapshot.close();
    expect(read(await open())).toBe('99');
  });

  it('keeps configurations that are not followed now, for a month', async () => {
    const first = await open();
    const old = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    first.keep('rarely', { ...state('1'), savedAt: new Date(Date.now() - 29 * 24 * 3600 * 1000) });
    first.keep('gone', { ...state('1'), savedAt: old });
    await first.close();
    const second = await open();
    expect(second.size).toBe(2);
    second.keep('prices', state('1'));
    await second.close();
    const third = await open();
    expect([third.read('rarely', LAYERS), third.read('gone', LAYERS)]).toEqual([
      expect.anything(),
      null,
    ]);
  });

  it('is written where its link points to', async () => {
    const target = join(folder, 'target');
    await writeFile(target, '');
    await symlink(target, file);
    await write('1');
    expect(readFileSync(target).length).toBeGreaterThan(0);
    expect(read(await open({ file: target }))).toBe('1');
  });

  it('of a process that was killed leaves nothing behind for long', async () => {
    const abandoned = join(folder, '.config.snapshot.x.tmp');
    const others = join(folder, '.other.snapshot.x.tmp');
    const young = join(folder, '.config.snapshot.y.tmp');
    for (const path of [abandoned, others, young]) await writeFile(path, 'x');
    for (const path of [abandoned, others]) await utimes(path, 1, 1);
    await open();
    expect((await readdir(folder)).sort()).toEqual([
      '.config.snapshot.y.tmp',
      '.other.snapshot.x.tmp',
    ]);
  });
});

describe('a snapshot that is of no use is passed over, told and written anew:', () => {
  async function expectPassedOver(reason: string, options: Partial<SnapshotOptions> = {}) {
    const snapshot = await open(options);
    expect(snapshot.size).toBe(0);
    expect(snapshot.error).toMatchObject({ code: 'SNAPSHOT_FAILED', reason, file });
    expect(snapshot.error?.message).toContain(`${JSON.stringify(file)} is passed over: it `);
    expect(warnings).toEqual([snapshot.error?.message]);
    snapshot.keep('prices', state('new'));
    await snapshot.close();
    expect(snapshot.error).toBeNull();
    expect(read(await open(options))).toBe('new');
  }

  it('truncated', async () => {
    await write('old');
    await truncate(file, 100);
    await expectPassedOver('corrupt');
  });

  it('empty', async () => {
    await writeFile(file, '');
    await expectPassedOver('corrupt');
  });

  it('changed after it was written', async () => {
    await write('old');
    const data = readFileSync(file);
    data[data.length - 5]! ^= 4;
    await writeFile(file, data);
    await expectPassedOver('corrupt');
  });

  it('encrypted with another key', async () => {
    await write('old', { encryptionKey: randomBytes(32) });
    await expectPassedOver('wrong-key', { encryptionKey: randomBytes(32).toString('hex') });
  });

  it('encrypted, and no key given', async () => {
    await write('old', { encryptionKey: randomBytes(32) });
    await expectPassedOver('encrypted');
  });

  it('not encrypted, and a key given', async () => {
    await write('old');
    await expectPassedOver('not-encrypted', { encryptionKey: randomBytes(32) });
  });

  it('larger than 64 MiB', async () => {
    await write('old');
    await truncate(file, 64 * 1024 * 1024 + 1);
    await expectPassedOver('too-large');
  });

  it('a file that may not be read', { skip: isRoot }, async () => {
    await write('old');
    await chmod(file, 0);
    await expectPassedOver('unreadable');
  });
});

describe('a snapshot that cannot be', () => {
  it.each([
    ['a short one', Buffer.from('my notes\n')],
    ['one of bytes', randomBytes(5000)],
    ['one over 64 MiB', Buffer.alloc(64 * 1024 * 1024 + 1, 'x')],
  ])('for the file is of something else, %s, is told, and the file stays', async (_, content) => {
    await writeFile(file, content);
    const snapshot = await open();
    expect(snapshot.error).toMatchObject({ code: 'SNAPSHOT_FAILED', reason: 'foreign', file });
    expect(snapshot.error?.message).toContain('is no snapshot, but a file of something else');
    snapshot.keep('prices', state('new'));
    await snapshot.close();
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(snapshot.error).toMatchObject({ reason: 'foreign' });
  });

  it('for somebody put a file of something else there meanwhile, leaves that', async () => {
    const snapshot = await open();
    await writeFile(file, 'my notes\n');
    snapshot.keep('prices', state('new'));
    await snapshot.close();
    expect(readFileSync(file, 'utf8')).toBe('my notes\n');
    expect(snapshot.error).toMatchObject({ reason: 'foreign' });
  });

  it('of another namespace or service is told, and stays as it is', async () => {
    await write('theirs', {}, { ...OWNER, service: 'inventory' });
    const before = readFileSync(file);
    const snapshot = await open();
    expect(snapshot.error).toMatchObject({ reason: 'foreign' });
    expect(snapshot.error?.message).toContain(
      'it holds the configurations of the service "inventory" in the namespace "shop", and not of the service "orders" in the namespace "shop"; give another file, or delete this one.',
    );
    snapshot.keep('prices', state('ours'));
    await snapshot.close();
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(snapshot.error).toMatchObject({ reason: 'foreign' });
    const other = await open({}, { ...OWNER, namespace: 'elsewhere', service: 'inventory' });
    expect(other.error).toMatchObject({ reason: 'foreign' });
  });

  it.each([
    ['a folder', () => mkdir(file)],
    ['a pipe', () => void spawnSync('mkfifo', [file])],
  ])('for it is %s is told, and nothing waits for it', async (_, make) => {
    await make();
    const snapshot = await open();
    expect(snapshot.error).toMatchObject({ reason: 'unreadable' });
  });

  it('written, its folder missing, is told, tried again, and told when it is', async () => {
    const missing = join(folder, 'not', 'there');
    const snapshot = await open({ file: join(missing, 'config.snapshot') });
    snapshot.keep('prices', state('1'));
    await waitFor(() => snapshot.error, { what: 'the error', timeoutMs: 3000 });
    expect(snapshot.error).toMatchObject({ reason: 'unwritable' });
    expect(snapshot.error?.message).toContain('(ENOENT)');
    await mkdir(missing, { recursive: true });
    await snapshot.close();
    expect(snapshot.error).toBeNull();
    expect(await readdir(missing)).toEqual(['config.snapshot']);
  });

  it('written, its folder being read-only, is told', async ({ skip }) => {
    // Root may write everywhere, except for where nobody can.
    if (isRoot && !mountTmpfs(folder, 'ro')) skip('This machine mounts nothing.');
    await chmod(folder, 0o500).catch(() => undefined);
    onTestFinished(() => chmod(folder, 0o700).catch(() => undefined));
    const snapshot = await open();
    snapshot.keep('prices', state('1'));
    await snapshot.close();
    expect(snapshot.error).toMatchObject({ reason: 'unwritable' });
    expect(snapshot.error?.message).toMatch(/\((EROFS|EACCES)\)/);
  });

  it(
    'written for want of room is told, and the old one stays whole',
    { skip: !isRoot },
    async ({ skip }) => {
      if (!mountTmpfs(folder, 'size=64k')) skip('This machine mounts nothing.');
      await write('small');
      const snapshot = await open();
      snapshot.keep('prices', state('x'.repeat(100_000)));
      await snapshot.close();
      expect(snapshot.error).toMatchObject({ reason: 'unwritable' });
      expect(snapshot.error?.message).toContain('(ENOSPC)');
      expect(await readdir(folder)).toEqual(['config.snapshot']);
      expect(read(await open())).toBe('small');
    },
  );

  it('for it would be larger than 64 MiB is told, and the old one stays', async () => {
    await write('small');
    const snapshot = await open();
    snapshot.keep('prices', state('x'.repeat(64 * 1024 * 1024)));
    await snapshot.close();
    expect(snapshot.error).toMatchObject({ reason: 'too-large' });
    expect(read(await open())).toBe('small');
  });

  it.each(['abc', 'g'.repeat(64), new Uint8Array(31), 5 as never])(
    'encrypted with the key %j is refused',
    (encryptionKey) => {
      expect(() => new ConfigSnapshot({ file, encryptionKey }, OWNER)).toThrow(
        /The encryption key of the snapshot (is|has) /,
      );
    },
  );
});

describe('two writers of one file', () => {
  it('in one process: the second does not start', async () => {
    const first = await open();
    const link = join(folder, 'link');
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), link);
    for (const path of [file, join(folder, 'real', '..', 'config.snapshot')]) {
      const second = new ConfigSnapshot({ file: path }, { ...OWNER, connection: 'second' });
      await expect(second.open()).rejects.toThrow(SnapshotInUseError);
      await expect(second.open()).rejects.toThrow(
        'is written by the connection "default" of this process too; give each connection of each process a file of its own',
      );
      await second.close();
    }
    await first.close();
    expect((await open()).error).toBeNull();
  });

  it('in one process are found through links', async () => {
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'link'));
    await open({ file: join(folder, 'real', 'x') });
    await expect(open({ file: join(folder, 'link', 'x') })).rejects.toThrow(SnapshotInUseError);
  });

  it('in two processes: the older one sees it, says so and stops', async () => {
    const older = await open();
    older.keep('prices', state('older'));
    await waitFor(() => existsSync(file), { what: 'the first snapshot' });
    // Another process is another copy of the module.
    vi.resetModules();
    const { ConfigSnapshot: OtherSnapshot } = await import('./config-snapshot.js');
    const newer = new OtherSnapshot({ file }, OWNER);
    await newer.open();
    expect(newer.size).toBe(1);
    newer.keep('prices', state('newer'));
    await newer.close();
    expect(newer.error).toBeNull();
    older.keep('prices', state('older again'));
    await waitFor(() => older.error, { what: 'the error' });
    expect(older.error).toMatchObject({ code: 'SNAPSHOT_IN_USE', reason: 'in-use' });
    expect(older.error?.message).toContain('is written by another process too');
    older.keep('prices', state('and again'));
    await older.close();
    expect(older.error).toMatchObject({ reason: 'in-use' });
    expect(read(await open())).toBe('newer');
  });

  it('may follow each other, and a file that is removed is written again', async () => {
    const first = await open();
    first.keep('prices', state('1'));
    await waitFor(() => existsSync(file), { what: 'the snapshot' });
    await rm(file);
    first.keep('prices', state('2'));
    await first.close();
    await write('3');
    expect(read(await open())).toBe('3');
    expect(warnings).toEqual([]);
  });
});
