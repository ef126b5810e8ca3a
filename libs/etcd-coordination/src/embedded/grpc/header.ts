import { randomBytes } from 'node:crypto';
import type { WireHeader } from './wire.js';

/** Who this server is; new at each start, as its data is. */
export interface Identity {
  readonly clusterId: string;
  readonly memberId: string;
}

/** A cluster of one has had one election, as a fresh etcd has. */
export const RAFT_TERM = '2';

/** Makes the header of an answer, which says at which revision it was given. */
export type HeaderFactory = (revision: number) => WireHeader;

export function newIdentity(): Identity {
  return { clusterId: randomId(), memberId: randomId() };
}

export function headerFactory({ clusterId, memberId }: Identity): HeaderFactory {
  return (revision) => ({
    cluster_id: clusterId,
    member_id: memberId,
    revision,
    raft_term: RAFT_TERM,
  });
}

function randomId(): string {
  return randomBytes(8).readBigUInt64BE().toString();
}
