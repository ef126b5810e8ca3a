import type { Note } from '../../history/note.js';

/** Whom an observer believes to lead. */
export type ObserverNote = Note & {
  readonly type: 'observed';
  /** Such as `election/standing`. */
  readonly of: string;
  /** By its `instanceId`; null for nobody. */
  readonly leader: string | null;
  /** The epoch of the leader's term; empty where the system does not tell it, and for nobody. */
  readonly token: string;
};
