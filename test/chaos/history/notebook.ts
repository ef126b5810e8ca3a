import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { machineNow } from '../../e2e/election/machine-clock.js';
import type { Entry, Note } from './note.js';

/** Writes the notes of one work. */
export interface NoteTaker<N extends Note = Note> {
  /** @param t left out, now */
  note(entry: Entry<N>, t?: number): void;
}

/** The notes of one process, in one file. */
export class Notebook {
  private readonly file: number;

  constructor(
    path: string,
    private readonly process: string,
  ) {
    this.file = openSync(path, 'a');
  }

  /** Nothing can be noted any more. */
  close(): void {
    closeSync(this.file);
  }

  /** The pages of one work. */
  of<N extends Note>(work: string): NoteTaker<N> {
    return {
      note: (entry, t = machineNow()) =>
        void writeSync(
          this.file,
          `${JSON.stringify({ t, process: this.process, work, ...entry })}\n`,
        ),
    };
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

  read(): Note[] {
    const notes: Note[] = [];
    for (;;) {
      const size = readSync(this.file, this.buffer, 0, this.buffer.length, this.offset);
      if (size === 0) return notes;
      this.offset += size;
      const text = Buffer.concat([this.rest, this.buffer.subarray(0, size)]);
      const end = text.lastIndexOf('\n') + 1;
      // A process that was killed in the middle of a line has not noted it.
      this.rest = Buffer.from(text.subarray(end));
      for (const line of text.subarray(0, end).toString().split('\n')) {
        if (line !== '') notes.push(JSON.parse(line) as Note);
      }
    }
  }

  close(): void {
    closeSync(this.file);
  }
}
