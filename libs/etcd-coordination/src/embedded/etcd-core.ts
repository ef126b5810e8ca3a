import type { MonotonicClock } from '../client/clock.js';
import { EtcdStatus } from './etcd-status.js';
import { headerFactory, newIdentity, type HeaderFactory, type Identity } from './grpc/header.js';
import { OpenStreams } from './grpc/open-streams.js';
import type { ServiceName } from './grpc/proto.js';
import { kvService } from './kv/kv.service.js';
import { leaseService } from './lease/lease.service.js';
import { Lessor } from './lease/lessor.js';
import { authService } from './server/auth.service.js';
import { clusterService } from './server/cluster.service.js';
import { maintenanceService } from './server/maintenance.service.js';
import { MvccStore } from './store/mvcc-store.js';
import { WatchHub } from './watch/watch-hub.js';
import { watchService } from './watch/watch.service.js';

/** What an etcd of one member is, whatever ways lead to it. */
export class EtcdCore {
  readonly lessor: Lessor;
  readonly store: MvccStore;
  readonly hub: WatchHub;
  private readonly identity: Identity = newIdentity();
  private readonly header: HeaderFactory = headerFactory(this.identity);
  private readonly streams = new OpenStreams();

  constructor(
    private readonly clock: MonotonicClock,
    private readonly progressIntervalMs: number,
  ) {
    this.lessor = new Lessor(clock);
    this.store = new MvccStore(this.lessor);
    this.hub = new WatchHub(this.store);
    this.lessor.onEnd((keys) =>
      this.store.write((transaction) => {
        for (const key of keys) transaction.deleteRange({ from: key, to: null });
      }),
    );
  }

  /**
   * Its services, as one way to it offers them.
   *
   * @param clientUrl where that way is; null to answer each with the address that it used
   */
  services(clientUrl: () => string | null): Record<ServiceName, object> {
    const { store, lessor, hub, header, streams, identity, clock, progressIntervalMs } = this;
    return {
      KV: kvService(store, lessor, header),
      Lease: leaseService(lessor, store, header, streams),
      Watch: watchService(store, hub, header, streams, { clock, progressIntervalMs }),
      Cluster: clusterService({ identity, clientUrl }, header),
      Maintenance: maintenanceService(store, identity, header),
      Auth: authService(store, header),
    };
  }

  /** Ends all streams, and time with it. */
  close(): void {
    this.lessor.close();
    this.hub.close();
    this.streams.failAll(EtcdStatus.stopped());
  }
}
