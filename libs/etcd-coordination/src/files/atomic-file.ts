import { constants } from 'node:fs';
import { open, readdir, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** What a killed process left behind is removed when it is this old, in milliseconds. */
const ABANDONED_MS = 60_000;

/** The file itself, whichever links lead to it. It need not be there. */
export async function realFile(file: string): Promise<string> {
  const path = resolve(file);
  try {
    return await realpath(path);
  } catch {
    try {
      return join(await realpath(dirname(path)), basename(path));
    } catch {
      return path;
    }
  }
}

/**
 * Writes a file whole or not at all: whoever reads it finds the old one or the new one, even if
 * this process is killed or the machine loses its power meanwhile. Only its owner may read it.
 */
export async function writeAtomically(file: string, data: Buffer, writer: string): Promise<void> {
  const temporary = join(dirname(file), `${temporaryStart(file)}${writer}.tmp`);
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(file));
}

/**
 * What the file begins with, up to so many bytes; all of it if it is smaller. Null if there is none.
 *
 * @throws {NotAFileError}, or what the system says
 */
export async function readBeginning(file: string, maxBytes: number): Promise<Buffer | null> {
  let handle;
  try {
    // Without waiting, as a pipe would make it do.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new NotAFileError();
    const buffer = Buffer.alloc(Math.min(found.size, maxBytes));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** A folder, a pipe or a device. */
export class NotAFileError extends Error {}

/** Removes what writers that were killed left beside the file. Never rejects. */
export async function removeAbandoned(file: string): Promise<void> {
  const [folder, start] = [dirname(file), temporaryStart(file)];
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(start) || !name.endsWith('.tmp')) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (!found || Date.now() - found.mtimeMs < ABANDONED_MS) continue;
    await unlink(path).catch(() => undefined);
  }
}

function temporaryStart(file: string): string {
  return `.${basename(file)}.`;
}

/** So that the rename itself survives a loss of power. Some file systems know no such thing. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The file is in place all the same.
  }
}
