import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { LockNote } from '../../support/lock-history.js';
import { machineNow } from '../election/machine-clock.js';

/** What a note says beside its moment and its process. */
export type Entry<T = LockNote> = T extends LockNote ? Omit<T, 't' | 'process'> : never;

/** The notes of one process: a line of JSON each, in the file before the next statement runs, so that kill -9 loses none. */
export class LockNotebook {
  private readonly file: number;

  constructor(
    path: string,
    private readonly process: string,
  ) {
    this.file = openSync(path, 'a');
  }

  /** @param t left out, now */
  note(entry: Entry, t = machineNow()): void {
    writeSync(this.file, `${JSON.stringify({ t, process: this.process, ...entry })}\n`);
  }
}

/** Reads what was added to a notebook since the last look. */
export class NotebookReader {
  private readonly file: number;
  private readonly buffer = Buffer.alloc(1 << 16);
  private offset = 0;
  private rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    // Created if the process has not come so far.
    this.file = openSync(path, 'a+');
  }

  read(): LockNote[] {
    const notes: LockNote[] = [];
    for (;;) {
      const size = readSync(this.file, this.buffer, 0, this.buffer.length, this.offset);
      if (size === 0) return notes;
      this.offset += size;
      const text = Buffer.concat([this.rest, this.buffer.subarray(0, size)]);
      const end = text.lastIndexOf('\n') + 1;
      // A process that was killed in the middle of a line has not noted it.
      this.rest = Buffer.from(text.subarray(end));
      for (const line of text.subarray(0, end).toString().split('\n')) {
        if (line !== '') notes.push(JSON.parse(line) as LockNote);
      }
    }
  }

  close(): void {
    closeSync(this.file);
  }
}
