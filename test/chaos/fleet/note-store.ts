import { join } from 'node:path';
import type { Note } from '../history/note.js';
import { NotebookReader } from '../history/notebook.js';

/** Told of each note once, as it is read. */
export type NoteListener = (note: Note) => void;

/** Texts that come over and over are kept once: a run of half an hour has a million notes and more. */
const SHARED = ['process', 'work', 'type', 'of', 'how', 'guard', 'outcome', 'register', 'watch'];

/** All that was noted in a folder, read as it grows. The arrays that it shows are its own and grow in place. */
export class NoteStore {
  readonly all: Note[] = [];
  private readonly readers = new Map<string, NotebookReader>();
  private readonly ofWork = new Map<string, Note[]>();
  private readonly texts = new Map<string, string>();
  private readonly listeners: NoteListener[] = [];

  constructor(readonly folder: string) {}

  /** Where this process notes; its notebook is read from now on. */
  open(process: string): string {
    const path = join(this.folder, `${process}.jsonl`);
    this.readers.set(process, new NotebookReader(path));
    return path;
  }

  /** To be told of what is read from now on. */
  listen(listener: NoteListener): void {
    this.listeners.push(listener);
  }

  /** Reads what came since the last look; those of one process stand in their order. */
  look(): readonly Note[] {
    for (const process of this.readers.keys()) this.read(process);
    return this.all;
  }

  /** Reads what one process has noted. */
  read(process: string): void {
    for (const note of this.readers.get(process)?.read() ?? []) this.take(note);
  }

  of(work: string): readonly Note[] {
    return this.ofWork.get(work) ?? [];
  }

  /** The process notes no more: what it left is read, and its file closed. */
  closeOne(process: string): void {
    this.read(process);
    this.readers.get(process)?.close();
    this.readers.delete(process);
  }

  close(): void {
    for (const process of [...this.readers.keys()]) this.closeOne(process);
  }

  private take(read: Note): void {
    const note = this.compact(read);
    this.all.push(note);
    const ofWork = this.ofWork.get(note.work);
    if (ofWork) ofWork.push(note);
    else this.ofWork.set(note.work, [note]);
    for (const listener of this.listeners) listener(note);
  }

  private compact(note: Note): Note {
    const fields = note as unknown as Record<string, unknown>;
    for (const name of SHARED) {
      const text = fields[name];
      if (typeof text === 'string') fields[name] = this.shared(text);
    }
    return note;
  }

  private shared(text: string): string {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    this.texts.set(text, text);
    return text;
  }
}
