import { readFileSync } from 'node:fs';
import { rawEtcd, type RawEtcd } from '../../support/raw-etcd.js';

/** How the run itself reaches etcd: each member by itself, past every proxy. */
export interface AdminAccess {
  readonly endpoints: readonly string[];
  readonly namespace: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** PEM file of the authority; with it endpoints are `https:`. Read anew for each connection. */
  readonly caFile?: string;
}

/** A plain client of some of the members, or one. To be closed. */
export function adminClient({ auth, caFile }: AdminAccess, endpoints: readonly string[]): RawEtcd {
  return rawEtcd([...endpoints], {
    grpcOptions: { 'grpc.max_receive_message_length': -1 },
    ...(auth && { auth }),
    ...(caFile !== undefined && { credentials: { rootCertificate: readFileSync(caFile) } }),
  });
}

/** The range of all keys of the namespace. */
export function namespaceRange(namespace: string): { key: Buffer; range_end: Buffer } {
  // The character after the slash.
  return { key: Buffer.from(`${namespace}/`), range_end: Buffer.from(`${namespace}0`) };
}
