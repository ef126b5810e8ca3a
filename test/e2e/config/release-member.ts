import type { StandardSchemaV1 } from '@standard-schema/spec';
import { DEFAULT_TIMEOUTS } from '../../../libs/etcd-coordination/src/client/client-options.js';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { ConfigDeclarations } from '../../../libs/etcd-coordination/src/config/config-declarations.js';
import { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { ConfigReleases } from '../../../libs/etcd-coordination/src/config/release/config-releases.service.js';
import type { ObservationTimings } from '../../../libs/etcd-coordination/src/config/release/release-observation.js';
import { ElectedReleases } from '../../../libs/etcd-coordination/src/module/elected-releases.js';
import { Instance, NAMESPACE, type InstanceOptions } from '../election/instance.js';

export interface Prices {
  readonly price: number;
}

export interface MemberOptions extends InstanceOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly timings?: ObservationTimings;
}

/** None of these suites is about deadlines, and many of them run at once. */
const PATIENT = { ...DEFAULT_TIMEOUTS, connect: 20_000, read: 10_000, write: 10_000 };

type TxnRequest = Parameters<EtcdClient['txn']>[0];

/** One process of an application that follows configurations, without Nest around it. */
export class Member {
  /** Every value that it had, in order. */
  readonly values: number[] = [];

  private constructor(
    readonly instance: Instance,
    readonly publisher: ConfigPublisher,
    readonly releases: ConfigReleases,
    readonly store: ConfigStore,
  ) {}

  static async start(
    id: string,
    endpoints: string | readonly string[],
    { labels = {}, zone, timings, ...options }: MemberOptions = {},
  ): Promise<Member> {
    const instance = await Instance.start(id, endpoints, {
      ...{ ttlSeconds: 5, timeouts: PATIENT },
      ...options,
    });
    const { client, watch, session } = instance;
    const identity = { instanceId: id, labels, ...(zone !== undefined && { zone }) };
    const declarations = new ConfigDeclarations();
    const publisher = new ConfigPublisher({
      ...{ client, identity, namespace: NAMESPACE },
      declared: (key) => declarations.get(key),
    });
    const ground = { client, watch, session, identity, namespace: NAMESPACE };
    const releases = new ConfigReleases({
      ...{
        ...ground,
        publisher,
        leadership: new ElectedReleases(instance.elections, client.clock),
      },
      timings: timings ?? { gatherMs: 300, vanishedMs: 1500 },
    });
    const store = new ConfigStore({ ...ground, declarations }, { publisher, releases });
    return new Member(instance, publisher, releases, store);
  }

  get id(): string {
    return this.instance.id;
  }

  get value(): number | undefined {
    return this.values.at(-1);
  }

  /** Whether it controls the release of a configuration. */
  controls(key: string): boolean {
    return this.instance.elections.term(`config-release/${key}`) !== null;
  }

  async watch(
    key: string,
    schema?: StandardSchemaV1<unknown, Prices>,
    told: (price: number) => void = () => undefined,
  ): Promise<void> {
    const watched = await this.store.watch<Prices>(key, schema ? { schema } : {});
    watched.value$.subscribe(({ price }) => {
      this.values.push(price);
      told(price);
    });
  }

  /** As a process that is killed: nobody is told. */
  async die(): Promise<void> {
    await this.instance.client.close();
  }

  /** As the module closes it. */
  async close(): Promise<void> {
    await this.releases.leave();
    await this.store.close();
    await this.instance.close();
  }

  /** Runs `around` in place of each transaction that makes a transition of a release. */
  aroundTransitions(around: (what: Transition, send: () => Promise<unknown>) => Promise<unknown>) {
    const { client } = this.instance;
    const txn = client.txn.bind(client);
    client.txn = (async (request: TxnRequest, settings: never) => {
      const send = () => txn(request, settings);
      const what = transitionOf(request);
      return what ? around(what, send) : send();
    }) as typeof client.txn;
  }
}

/** What a transaction does to a release. */
export interface Transition {
  /** `archive` is the write into the history that goes before a promotion. */
  readonly type:
    'start' | 'archive' | 'rolling' | 'paused' | 'promoted' | 'rolled-back' | 'aborted';
  readonly step: number;
  /** The configuration's name. */
  readonly key: string;
}

function transitionOf({ success = [] }: TxnRequest): Transition | null {
  for (const { request_put: put } of success) {
    const path = put?.key?.toString() ?? '';
    const key = /\/config\/([^/]+)\//.exec(path)?.[1] ?? '';
    if (/\/history\/.*\/document\//.test(path)) return { type: 'archive', step: 0, key };
    if (!path.endsWith('/live/release')) continue;
    const { state, step } = JSON.parse(put!.value!.toString()) as {
      state: Exclude<Transition['type'], 'start' | 'archive'>;
      step: number;
    };
    const isStart = step === 0 && state === 'rolling';
    return { type: isStart ? 'start' : state, step, key };
  }
  return null;
}

export const pricesSchema: StandardSchemaV1<unknown, Prices> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof (value as Partial<Prices>)?.price === 'number'
        ? { value: value as Prices }
        : { issues: [{ message: 'is no number', path: ['price'] }] },
  },
};
