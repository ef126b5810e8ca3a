import type { IKeyValue } from 'etcd3';

/** What a slice may keep beside itself. */
const SMALL = 16 * 1024;

/** The least that a view holds of a key: the revision of its last change. */
export interface HeldKey {
  readonly mod_revision: string;
}

/** What a view keeps of each key. */
export interface Keeping<K extends HeldKey> {
  readonly values: boolean;
  /** What is told of a key, and kept of in turn: apart from the answer that it came in, if it is kept. */
  own(kv: IKeyValue): IKeyValue;
  /** What is held of a key's {@link own} state. */
  keep(own: IKeyValue): K;
  /** Whether what is held is what a list of keys and revisions shows. */
  isAsListed(held: K, listed: IKeyValue): boolean;
  /**
   * Whether what is held is what a list with values shows. `sure` says that both are of the
   * same history, in which a key has one state at a revision.
   */
  isSame(held: K, fresh: IKeyValue, sure: boolean): boolean;
}

/** Keeps everything. */
export const VALUES: Keeping<IKeyValue> = {
  values: true,
  own: (kv) => {
    const [key, value] = [ownCopy(kv.key), ownCopy(kv.value)];
    return key === kv.key && value === kv.value ? kv : { ...kv, key, value };
  },
  keep: (own) => own,
  isAsListed: sameRevisions,
  isSame: (held, fresh) =>
    sameRevisions(held, fresh) && held.lease === fresh.lease && held.value.equals(fresh.value),
};

/** Keeps the revisions alone, for those who only want to be told of changes. */
export const REVISIONS: Keeping<HeldKey> = {
  values: false,
  own: (kv) => kv,
  keep: ({ mod_revision }) => ({ mod_revision }),
  isAsListed: (held, listed) => held.mod_revision === listed.mod_revision,
  // In another history the same revision may have brought another value.
  isSame: (held, fresh, sure) => sure && held.mod_revision === fresh.mod_revision,
};

/**
 * etcd's answers are decoded in place, so a small value would keep all of the answer that it
 * came in, megabytes of it perhaps.
 */
function ownCopy(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length + SMALL ? Buffer.from(bytes) : bytes;
}

function sameRevisions(a: IKeyValue, b: IKeyValue): boolean {
  return (
    a.mod_revision === b.mod_revision &&
    a.create_revision === b.create_revision &&
    a.version === b.version
  );
}
