import type { EtcdClient } from '../../client/etcd-client.js';
import type { EtcdSession } from '../../session/etcd-session.js';
import type { WatchHub } from '../../watch/watch-hub.js';

/** What a limiter stands on, and which process it is of. */
export interface RateLimiterGround {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly watch: WatchHub;
  readonly namespace: string;
  readonly instanceId: string;
}

/** What was asked of a rule since it was asked last. */
export interface Usage {
  /** Tokens that were asked for, let through or not. */
  readonly offered: number;
  /** Whether any were refused. */
  readonly wasRefused: boolean;
}

/** A share's rule, as far as the share needs to know it. */
export interface SharedRule {
  readonly name: string;
  /** Whether this process had the limit for itself until now: it goes on with its part while it joins. */
  readonly goesOn: boolean;
  /** Whether parts of the share are lent; limits by key are not. */
  readonly lends: () => boolean;
  /** Tokens in a millisecond, of the whole fleet. */
  readonly perMs: () => number;
  /** What was asked for since this was called last. */
  readonly takeUsage: () => Usage;
  /** The share has changed, as of now. */
  readonly changed: () => void;
}
