/** What is under test: this library, or plain etcd3 with its own recipes. */
export type SystemName = 'ours' | 'etcd3';

/** One process's hold on etcd; each system's folder has its own, with the services that its parts use. */
export interface SystemUnderTest {
  /** As an application closes it: drained, handed over, revoked. */
  close(): Promise<void>;
}

/** How a worker process reaches etcd. */
export interface Access {
  /** One proxy of the slot's own for each member. */
  readonly endpoints: readonly string[];
  readonly namespace: string;
  readonly ttlSeconds: number;
  readonly instanceId: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** PEM file of the authority; with it endpoints are `https:`. Read anew at each start. */
  readonly caFile?: string;
}
