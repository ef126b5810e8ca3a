import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reapFolder } from './reaper.js';

const SHARED_MEMORY = '/dev/shm';

/** A new folder, in memory where the machine offers that, removed when this process ends. */
export function tempFolder(purpose = 'test'): string {
  const folder = mkdtempSync(join(memoryFolder() ?? tmpdir(), `etcd-coordination-${purpose}-`));
  reapFolder(folder);
  return folder;
}

/** etcd writes through to its disk on every call: in memory the tests are faster and their times steadier. */
function memoryFolder(): string | null {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return null;
  }
}
