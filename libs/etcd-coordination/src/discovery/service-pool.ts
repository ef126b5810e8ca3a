import type { Observable } from 'rxjs';
import type { ServiceInstance } from '../registry/service-instance.js';

/** How one of several instances is chosen. */
export const STRATEGIES = [
  'round-robin',
  'random',
  'weighted',
  'least-in-flight',
  'power-of-two',
  'rendezvous',
] as const;
export type ChooseStrategy = (typeof STRATEGIES)[number];

export interface ChooseOptions {
  /** Default `power-of-two`; `rendezvous` where a `hashKey` is given. */
  readonly strategy?: ChooseStrategy;
  /** The zone that is preferred. Default this process's own, and none for `rendezvous`. */
  readonly zone?: string;
  /**
   * With `rendezvous`: the same key goes to the same instance from every process, as long as that is healthy. Two
   * may differ while one has not heard of a change yet, and while one has ejected an instance that the other has not.
   */
  readonly hashKey?: string;
  /** Ids of instances that are not wanted, such as those that were tried already. */
  readonly exclude?: ReadonlySet<string>;
}

/** How an attempt of a call is begun that may have been made before. */
export interface BeginOptions extends ChooseOptions {
  /**
   * Ids of instances that this call has tried already: any other is taken before them, but for the last
   * resorts: those are for when nobody is well, and not for when somebody has failed once.
   */
  readonly tried?: ReadonlySet<string>;
}

/**
 * A list that was not confirmed for so long, in milliseconds, is taken for cut off from etcd: twice the
 * time after which a watch asks its member for progress at the latest, see `StreamPulse`.
 */
export const CUT_OFF_AFTER_MS = 10_000;

/** One call of one instance, from its choice to its end. One of its three ends is told, once; later ones are ignored. */
export interface Attempt {
  readonly instance: ServiceInstance;
  /** It answered: what it said is no fault of the instance's. */
  succeeded(): void;
  /** It did not answer, or as one that is ill: counts towards its ejection. */
  failed(error: unknown): void;
  /**
   * The caller gave up: says nothing of the instance, unless `why` is that he has waited for too long, as it is if it
   * is named `TimeoutError`. Then it did not answer.
   */
  abandoned(why?: unknown): void;
}

/**
 * The instances of one service as this process knows them, and what its own calls have taught it of
 * each. Everything but {@link ready} is local.
 */
export interface ServicePool {
  readonly service: string;
  /** Whether there is a list, be it of a snapshot. */
  readonly isReady: boolean;
  /** Milliseconds since the list was last known to be what etcd has; Infinity before. */
  ageMs(): number;
  /**
   * Resolves as soon as there is a list.
   *
   * @throws what etcd refuses the list with, or the signal's reason
   */
  ready(signal?: AbortSignal): Promise<void>;
  /** All instances, whatever their state, in the order of their ids. */
  instances(): readonly ServiceInstance[];
  /** The present list as soon as there is one, and another one after each change. Completes when the connection closes. */
  readonly instances$: Observable<readonly ServiceInstance[]>;
  /** @throws {NoInstanceError} if none can take a call, saying what there is */
  choose(options?: ChooseOptions): ServiceInstance;
  /**
   * Chooses, and counts the call as in flight until it is told how it ended.
   *
   * @throws {NoInstanceError} as {@link choose}
   */
  begin(options?: BeginOptions): Attempt;
}
