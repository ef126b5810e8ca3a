import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';

/** Plain etcd3, with nothing of the library: how a test looks at, and meddles with, what is in etcd. */
export interface RawEtcd extends Disposable {
  readonly client: Etcd3;
}

/**
 * A plain client for one endpoint, with a deadline of 5 s on every call and no retries and no breaker
 * (FACTS.md, Calls). Close it with `using`, or by hand.
 */
export function rawEtcd(endpoint: string | string[], options: Partial<IOptions> = {}): RawEtcd {
  const client = new Etcd3({
    hosts: endpoint,
    // A function: a plain deadline is a moment, not a span, and would end streams as well.
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + 5_000 }),
    faultHandling: { host: () => noop, global: noop },
    ...options,
  });
  return { client, [Symbol.dispose]: () => client.close() };
}
