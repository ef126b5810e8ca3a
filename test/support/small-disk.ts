import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { reapMount } from './reaper.js';
import { tempFolder } from './temp-folder.js';
import { waitFor } from './wait-for.js';

const run = promisify(execFile);

/** As much as a member of a long test needs; memory is taken only for what is written. */
const ROOMY = '1g';

/** A file system in memory that can be full. Needs the right to mount. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** Null where this process may not mount anything. */
  static async mount(): Promise<SmallDisk | null> {
    const folder = tempFolder('disk');
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${ROOMY}`, 'etcd-coordination', folder]);
    } catch {
      return null;
    }
    reapMount(folder);
    return new SmallDisk(folder);
  }

  /** Not a byte more finds room, whatever is there stays; costs no memory. */
  async fill(): Promise<void> {
    // Refused if more was written between the two.
    await waitFor(() => this.resizeToWhatIsUsed().then(() => true), {
      what: 'the disk to be full',
    });
  }

  async free(): Promise<void> {
    await this.resize(ROOMY);
  }

  /** All that was on it is gone. */
  async unmount(): Promise<void> {
    await run('umount', ['-l', this.folder]);
  }

  private async resizeToWhatIsUsed(): Promise<void> {
    const { blocks, bfree, bsize } = await statfs(this.folder);
    await this.resize(`${(blocks - bfree) * bsize}`);
  }

  private async resize(size: string): Promise<void> {
    await run('mount', ['-o', `remount,size=${size}`, this.folder]);
  }
}
