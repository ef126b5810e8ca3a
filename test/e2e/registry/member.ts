import type { ClientOptions } from '../../../libs/etcd-coordination/src/client/client-options.js';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { instanceKey, registryPrefix } from '../../../libs/etcd-coordination/src/client/keys.js';
import {
  decodeInstanceRecord,
  type InstanceRecord,
} from '../../../libs/etcd-coordination/src/registry/instance-record.js';
import { ServiceRegistry } from '../../../libs/etcd-coordination/src/registry/service.registry.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from '../watch/connect.js';

export const NAMESPACE = 'e2e';
export const ADDRESS = 'http://127.0.0.1:3000';

/** What one process holds of a connection to register on, without Nest around it. */
export class Member {
  private constructor(
    readonly id: string,
    readonly client: EtcdClient,
    readonly session: EtcdSession,
    readonly watch: WatchHub,
    readonly registry: ServiceRegistry,
  ) {}

  static async start(
    id: string,
    endpoint: string,
    { ttlSeconds = 10, ...options }: Partial<ClientOptions> & { ttlSeconds?: number } = {},
  ): Promise<Member> {
    const client = await connect(endpoint, options);
    const session = new EtcdSession(client, { ttlSeconds });
    const watch = new WatchHub(client);
    const parts = { client, session, watch, namespace: NAMESPACE, instanceId: id };
    try {
      await session.start();
    } catch (error) {
      await client.close();
      throw error;
    }
    return new Member(id, client, session, watch, new ServiceRegistry(parts));
  }

  /** As the module closes it. */
  async close(): Promise<void> {
    await this.registry.close();
    await this.session.close();
    await this.watch.close();
    await this.client.close();
  }

  /** As a process that is killed leaves it: its lease runs out. */
  async crash(): Promise<void> {
    await this.client.close();
    await this.watch.close();
  }
}

/** An instance's record as etcd has it. */
export interface StandingRecord extends InstanceRecord {
  readonly key: string;
  readonly lease: string;
  readonly createRevision: bigint;
}

/** All that stands of a service, verdicts aside. What is no record of an instance fails. */
export async function recordsOf(endpoint: string, service: string): Promise<StandingRecord[]> {
  const kvs = await keysUnder(endpoint, `${registryPrefix(NAMESPACE, service)}instance/`);
  return kvs.map(({ value, ...kv }) => {
    const record = decodeInstanceRecord(Buffer.from(value));
    if (!record) throw new Error(`${kv.key} holds no record: ${value}`);
    return { ...kv, ...record };
  });
}

export const keyOf = (service: string, id: string) => instanceKey(NAMESPACE, service, id);

/** Waits until the service's only record is as asked. */
export function recordWhen(
  endpoint: string,
  service: string,
  what: string,
  condition: (record: StandingRecord) => boolean = () => true,
): Promise<StandingRecord> {
  const look = async () => {
    const [record, ...others] = await recordsOf(endpoint, service);
    return record && others.length === 0 && condition(record) ? record : null;
  };
  return waitFor(look, { what, timeoutMs: 20_000 });
}

/** One event of a raw watch: what a consumer sees of a key, whatever the library makes of it. */
export interface RawEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly lease: string;
  /** What the record then said of itself. */
  readonly state: string | null;
}

/** Follows a service's keys with a plain client. */
export async function followRaw(
  endpoint: string,
  service: string,
): Promise<{ events: RawEvent[]; stop(): Promise<void> }> {
  const etcd = rawEtcd(endpoint);
  const watcher = await etcd.client.watch().prefix(registryPrefix(NAMESPACE, service)).create();
  const events: RawEvent[] = [];
  watcher.on('put', ({ key, lease, value }) => {
    const state = decodeInstanceRecord(value)?.state ?? null;
    events.push({ type: 'put', key: key.toString(), lease, state });
  });
  watcher.on('delete', ({ key }) => {
    events.push({ type: 'delete', key: key.toString(), lease: '0', state: null });
  });
  const stop = async () => {
    await watcher.cancel();
    etcd.client.close();
  };
  return { events, stop };
}
