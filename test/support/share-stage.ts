import type { IEvent, IKeyValue } from 'etcd3';
import { EMPTY } from 'rxjs';
import type { SessionLease } from '../../libs/etcd-coordination/src/session/session-lease.js';
import type { RangeWatchHandlers } from '../../libs/etcd-coordination/src/watch/range-watch.js';
import {
  LIMITS,
  type RateLimitOptions,
  type RateLimitRule,
} from '../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { RuleLimiter } from '../../libs/etcd-coordination/src/traffic/limit/rule-limiter.js';
import type { RateLimiterGround } from '../../libs/etcd-coordination/src/traffic/limit/share-ground.js';
import {
  encodeShareRecord,
  type ShareRecord,
} from '../../libs/etcd-coordination/src/traffic/limit/share-record.js';
import { readRule } from '../../libs/etcd-coordination/src/traffic/live-documents.js';
import { limitSharesPrefix } from '../../libs/etcd-coordination/src/client/keys.js';
import { VirtualClock } from './virtual-clock.js';

const NAMESPACE = 'stage';
const RULE = 'rule';
const LEASE = '7';

/** A process under a fleet's limit, at a clock that the test moves; the others are what the test puts. */
export class ShareStage {
  readonly clock = new VirtualClock();
  readonly limiter: RuleLimiter;
  private readonly kvs = new Map<string, IKeyValue>();
  private readonly watches = new Set<RangeWatchHandlers>();
  private readonly turned = new Set<(rule: RateLimitRule) => void>();
  private rule: RateLimitRule;
  private revision = 1;
  private beats = 0;

  constructor(private readonly options: RateLimitOptions) {
    const declared = readRule(LIMITS, RULE, options);
    this.rule = declared;
    const document = {
      ...{ name: RULE, value$: EMPTY, ready: () => Promise.resolve() },
      onChange: (listener: (rule: RateLimitRule) => void) => {
        this.turned.add(listener);
        return () => this.turned.delete(listener);
      },
    };
    const live = Object.defineProperty(document, 'value', { get: () => this.rule });
    this.limiter = new RuleLimiter(this.ground(), live as never, declared, () => undefined);
  }

  /** Lets the process join, alone or beside who was put before. */
  join(): Promise<void> {
    return this.clock.advance(1000);
  }

  /** As a document does that overrides these numbers. */
  turn(numbers: Partial<RateLimitOptions>): void {
    this.rule = readRule(LIMITS, RULE, { ...this.options, ...numbers });
    for (const listener of this.turned) listener(this.rule);
  }

  /** Another process says this, on a lease if nothing else is said. */
  say(id: string, said: Partial<ShareRecord> = {}, lease = LEASE): void {
    const none = { everyMs: 0, want: 0, forMs: 0, grants: [], heeds: [], left: false };
    this.put(id, encodeShareRecord({ beat: (this.beats += 1), ...none, ...said }), lease);
  }

  put(id: string, value: Buffer, lease = LEASE): void {
    this.set(Buffer.from(limitSharesPrefix(NAMESPACE, RULE) + id), value, lease);
  }

  /** How many of so many calls go through. */
  admitted(calls: number, key?: string): number {
    const decisions = Array.from({ length: calls }, () => this.limiter.check(key, 1));
    return decisions.filter(({ allowed }) => allowed).length;
  }

  private set(key: Buffer, value: Buffer, lease: string): void {
    this.revision += 1;
    const mod_revision = `${this.revision}`;
    const kv = { key, value, lease, mod_revision, create_revision: '1', version: '1' };
    this.kvs.set(key.toString(), kv);
    for (const watch of this.watches) watch.events([{ type: 'Put', kv } as IEvent]);
  }

  private get header() {
    return { revision: `${this.revision}`, cluster_id: '1' };
  }

  private ground(): RateLimiterGround {
    const lease = { id: LEASE, signal: new AbortController().signal, isValid: () => true };
    const session = {
      ready: () => Promise.resolve(lease as unknown as SessionLease),
      beforeRevocation: () => () => undefined,
    };
    const watch = {
      watch: (_range: unknown, _from: unknown, handlers: RangeWatchHandlers) => {
        this.watches.add(handlers);
        queueMicrotask(() => handlers.standing(BigInt(this.revision), false, '1'));
        return { cancel: () => this.watches.delete(handlers) };
      },
    };
    const client = {
      ...{ clock: this.clock, isAwaited: false, options: { connection: 'default' } },
      range: async () => ({ kvs: [...this.kvs.values()], header: this.header }),
      txn: async ({ success }: { success: { request_put: Put }[] }) => {
        for (const { request_put: put } of success) this.set(put.key, put.value, put.lease);
        return { succeeded: true, header: this.header };
      },
    };
    const of = { namespace: NAMESPACE, instanceId: 'me' };
    return { ...of, client, session, watch } as unknown as RateLimiterGround;
  }
}

interface Put {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease: string;
}
