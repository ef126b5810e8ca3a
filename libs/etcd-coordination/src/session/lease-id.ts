import { randomBytes } from 'node:crypto';

/** A positive 63-bit number, as etcd wants it. Random, so that nobody else can have chosen it. */
export function randomLeaseId(): string {
  return ((randomBytes(8).readBigUInt64BE() >> 1n) | 1n).toString();
}
