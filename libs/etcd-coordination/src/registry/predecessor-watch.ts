import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';

/**
 * What is known of the one whose key stands where another is to stand.
 *
 * - `alive`: its lease is kept alive
 * - `unknown`: it may have crashed; then its key goes with its lease
 * - `stray`: the key is on no lease: somebody put it by hand, and it would never go
 */
export type PredecessorFate = 'alive' | 'unknown' | 'stray';

/** What etcd rounds off a lease's time, and what a clock may be out by, in milliseconds. */
const ROUNDING_MS = 2000;

/** What was first seen of a lease, under one leader of the cluster. */
interface FirstLook {
  readonly lease: string;
  /** A new leader gives every lease its whole time anew: that is nobody's keepalive. */
  readonly raftTerm: string;
  readonly remainingMs: number;
  readonly answeredAt: number;
}

/**
 * Tells a living process that has an id already from one that crashed a moment ago: by whether the
 * lease of its key has more time left than it can have if nobody keeps it alive.
 */
export class PredecessorWatch {
  private first: FirstLook | null = null;
  private stray: string | null = null;

  constructor(private readonly client: EtcdClient) {}

  /** Looks once more. Rejects if etcd does not answer. */
  async look({ lease, mod_revision }: IKeyValue): Promise<PredecessorFate> {
    if (lease === '0') {
      // Seen twice: the one that it was put over may be about to put its own again.
      const isStray = this.stray === mod_revision;
      this.stray = mod_revision;
      return isStray ? 'stray' : 'unknown';
    }
    const { clock } = this.client;
    const sentAt = clock.now();
    const { TTL, header } = await this.client.leaseTimeToLive(lease);
    const remainingMs = Number(TTL) * 1000;
    const { first } = this;
    const raftTerm = header.raft_term;
    if (first?.lease !== lease || first.raftTerm !== raftTerm) {
      this.first = { lease, raftTerm, remainingMs, answeredAt: clock.now() };
      return 'unknown';
    }
    // At least so much time has passed at the server between the two answers.
    const most = first.remainingMs - (sentAt - first.answeredAt) + ROUNDING_MS;
    return remainingMs > 0 && remainingMs > most ? 'alive' : 'unknown';
  }
}
