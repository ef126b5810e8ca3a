import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { ConfigDeclarations } from '../../../libs/etcd-coordination/src/config/config-declarations.js';
import { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { ConfigReleases } from '../../../libs/etcd-coordination/src/config/release/config-releases.service.js';
import type { ReleaseLeadership } from '../../../libs/etcd-coordination/src/config/release/release-leadership.js';
import type { ObservationTimings } from '../../../libs/etcd-coordination/src/config/release/release-observation.js';
import type { ElectionService } from '../../../libs/etcd-coordination/src/election/election.service.js';
import { Instance, NAMESPACE, type InstanceOptions } from '../election/instance.js';

export interface Prices {
  readonly price: number;
}

export interface MemberOptions extends InstanceOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly zone?: string;
  readonly timings?: ObservationTimings;
}

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
    const instance = await Instance.start(id, endpoints, { ttlSeconds: 2, ...options });
    const { client, watch, session } = instance;
    const identity = { instanceId: id, labels, ...(zone !== undefined && { zone }) };
    const declarations = new ConfigDeclarations();
    const publisher = new ConfigPublisher({
      ...{ client, identity, namespace: NAMESPACE },
      declared: (key) => declarations.get(key),
    });
    const ground = { client, watch, session, identity, namespace: NAMESPACE };
    const releases = new ConfigReleases({
      ...{ ...ground, publisher, leadership: leadershipOf(instance.elections) },
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

  async watch(key: string, schema?: StandardSchemaV1<unknown, Prices>): Promise<void> {
    const watched = await this.store.watch<Prices>(key, schema ? { schema } : {});
    watched.value$.subscribe(({ price }) => this.values.push(price));
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
}

function transitionOf({ success = [] }: TxnRequest): Transition | null {
  for (const { request_put: put } of success) {
    const key = put?.key?.toString() ?? '';
    if (/\/history\/[^]*\/document\//.test(key)) return { type: 'archive', step: 0 };
    if (!key.endsWith('/live/release')) continue;
    const record = JSON.parse(put!.value!.toString()) as {
      state: Transition['type'];
      step: number;
    };
    const isStart = record.step === 0 && record.state === 'rolling';
    return { type: isStart ? 'start' : record.state, step: record.step };
  }
  return null;
}

/** What the module makes of the elections, as short as it can be. */
export function leadershipOf(elections: ElectionService): ReleaseLeadership {
  return {
    lead(name, run) {
      const stopping = new AbortController();
      const { signal } = stopping;
      const standing = (async () => {
        while (!signal.aborted) {
          try {
            const term = await elections.campaign(name, { signal });
            // A plain signal, which a frozen process reads as it was: the fence has to do.
            const both = AbortSignal.any([term.signal, signal]);
            await run({ fence: term.fence, signal: both }).finally(() => term.resign());
          } catch (error) {
            if ((error as { code?: string }).code === 'CLIENT_CLOSED') return;
          }
        }
      })();
      return {
        stop: async () => {
          stopping.abort();
          await standing;
        },
      };
    },
  };
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
