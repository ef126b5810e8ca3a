import type { Note } from '../history/note.js';

/**
 * What those who follow and publish a configuration note down. Values are texts (JSON, with keys in order), each
 * attempt's different from all others but for what is rolled back to, so that a value says by whom it was published.
 * Revisions are decimal.
 */
export type ConfigNote = Note & { readonly config: string } & (
    | /** A value took the place of another here. Revision `0` is the declared default. */
      (Shown & { readonly type: 'applied' })
      /** A value was looked at; `ageMs` and `synced` as the handle's status says them; infinite is null in JSON. */
    | (Shown & {
        readonly type: 'read';
        readonly synced: boolean;
        readonly ageMs: number | null;
      })
    /** What was pushed at this revision was refused here, and the last good value stands. */
    | { readonly type: 'rejected'; readonly revision: string; readonly code: string }
    /** Is about to be written. */
    | {
        readonly type: 'publishing';
        /** Different for each in the run. */
        readonly attempt: string;
        readonly value: string;
        /** Whether the schema accepts it. */
        readonly valid: boolean;
        /**
         * `store` goes through the library, which must refuse what is invalid, as does `rollback`, which brings back
         * what was published before; `raw` is a put as of etcdctl.
         */
        readonly via: 'store' | 'rollback' | 'raw';
      }
    | {
        readonly type: 'published';
        readonly attempt: string;
        readonly outcome: 'accepted' | 'refused' | 'unknown';
        /** Of the write, if it was accepted; else empty. */
        readonly revision: string;
        readonly code: string;
      }
  );

interface Shown {
  readonly revision: string;
  readonly value: string;
  readonly source: 'etcd' | 'snapshot' | 'default';
}
