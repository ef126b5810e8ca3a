import type { Etcd3 } from 'etcd3';
import type { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../libs/etcd-coordination/src/session/etcd-session.js';
import type { Measure } from './alternate.js';

/** From nothing to a granted lease that is kept alive, on a connection that stands. */
export function sessionMeasure(plain: Etcd3, library: EtcdClient): Measure {
  return {
    title: 'session start',
    unit: 'µs',
    rounds: 60,
    atMostRatio: 1.1,
    contenders: [
      {
        name: 'plain etcd3',
        async run() {
          const start = performance.now();
          const lease = plain.lease(60);
          await lease.grant();
          const took = (performance.now() - start) * 1000;
          await lease.revoke();
          return took;
        },
      },
      {
        name: 'library',
        async run() {
          const start = performance.now();
          const session = new EtcdSession(library, { ttlSeconds: 60 });
          await session.start();
          const took = (performance.now() - start) * 1000;
          await session.close();
          return took;
        },
      },
    ],
  };
}
