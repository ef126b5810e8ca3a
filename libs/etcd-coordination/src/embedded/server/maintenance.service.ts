import { EtcdStatus } from '../etcd-status.js';
import { type HeaderFactory, type Identity, RAFT_TERM } from '../grpc/header.js';
import { unary } from '../grpc/unary.js';
import { AlarmAction } from '../grpc/wire.js';
import type { MvccStore } from '../store/mvcc-store.js';

/** The etcd whose answers this server gives. */
export const ETCD_VERSION = '3.5.30';

/** The calls of etcd's Maintenance service that make sense in memory. */
export function maintenanceService(store: MvccStore, identity: Identity, header: HeaderFactory) {
  return {
    Status: unary(() => ({
      header: header(store.revision),
      version: ETCD_VERSION,
      leader: identity.memberId,
      // There is no raft; what counts its entries best is the writes.
      raftIndex: store.revision,
      raftAppliedIndex: store.revision,
      raftTerm: RAFT_TERM,
      dbSize: process.memoryUsage().heapUsed,
      dbSizeInUse: process.memoryUsage().heapUsed,
    })),

    Alarm: unary((request: { action: AlarmAction }) => {
      if (request.action === AlarmAction.Activate) throw EtcdStatus.unsupported('alarms to raise');
      return { header: header(store.revision), alarms: [] };
    }),

    // There is no file to tidy up, and etcd's answer is empty too.
    Defragment: unary(() => ({})),
  };
}
