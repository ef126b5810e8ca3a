import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { HeaderFactory } from '../grpc/header.js';
import type { OpenStreams } from '../grpc/open-streams.js';
import { unary } from '../grpc/unary.js';
import type { LeaseGrantRequest, LeaseIdRequest, LeaseTimeToLiveRequest } from '../grpc/wire.js';
import { toBytes } from '../store/key-value.js';
import type { MvccStore } from '../store/mvcc-store.js';
import type { Lessor } from './lessor.js';

/** The calls of etcd's Lease service. */
export function leaseService(
  lessor: Lessor,
  store: MvccStore,
  header: HeaderFactory,
  streams: OpenStreams,
) {
  return {
    LeaseGrant: unary((request: LeaseGrantRequest) => {
      const { id, ttl } = lessor.grant(BigInt(request.ID), Number(request.TTL));
      return { header: header(store.revision), ID: id.toString(), TTL: ttl };
    }),

    LeaseRevoke: unary((request: LeaseIdRequest) => {
      lessor.revoke(BigInt(request.ID));
      return { header: header(store.revision) };
    }),

    LeaseTimeToLive: unary((request: LeaseTimeToLiveRequest) => {
      const lease = lessor.get(BigInt(request.ID));
      if (!lease) return { header: header(store.revision), ID: request.ID, TTL: -1 };
      return {
        header: header(store.revision),
        ID: request.ID,
        TTL: Math.trunc(lessor.remainingMs(lease) / 1000),
        grantedTTL: lease.ttl,
        keys: request.keys ? [...lease.keys].map(toBytes) : [],
      };
    }),

    LeaseLeases: unary(() => ({
      header: header(store.revision),
      leases: lessor.all().map(({ id }) => ({ ID: id.toString() })),
    })),

    LeaseKeepAlive: (call: ServerDuplexStream<LeaseIdRequest, unknown>) => {
      const stream = streams.open(call);
      call.on('data', (request: LeaseIdRequest) => {
        // The header first: its revision must not be newer than the renewal.
        const at = header(store.revision);
        stream.send({ header: at, ID: request.ID, TTL: lessor.renew(BigInt(request.ID)) });
      });
      call.on('end', () => stream.end());
    },
  };
}
