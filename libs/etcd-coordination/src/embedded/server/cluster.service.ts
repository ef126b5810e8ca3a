import type { HeaderFactory, Identity } from '../grpc/header.js';
import { unary } from '../grpc/unary.js';

/** What a cluster of one tells of itself. */
export interface MemberInfo {
  readonly identity: Identity;
  /** Where clients reach it; null to answer each with the address that it used. */
  readonly clientUrl: () => string | null;
}

/** The one call of etcd's Cluster service that a cluster of one can answer. */
export function clusterService({ identity, clientUrl }: MemberInfo, header: HeaderFactory) {
  return {
    MemberList: unary((_request: unknown, call) => {
      const url = clientUrl() ?? `http://${call.getHost()}`;
      return {
        // Of all of etcd's answers, this one has no revision.
        header: header(0),
        members: [{ ID: identity.memberId, name: 'embedded', peerURLs: [url], clientURLs: [url] }],
      };
    }),
  };
}
