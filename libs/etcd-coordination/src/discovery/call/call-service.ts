import { Logger } from '@nestjs/common';
import { systemClock, pause, type MonotonicClock } from '../../client/clock.js';
import { DEFAULT_RETRY } from '../../client/client-options.js';
import { retryDelay } from '../../client/retry-delay.js';
import type { ServiceInstance } from '../../registry/service-instance.js';
import { InvalidDiscoveryOptionError, NoInstanceError } from '../discovery.errors.js';
import type { Attempt, BeginOptions } from '../service-pool.js';
import { onAbort, ownerSignals } from '../../context/abort-links.js';
import { CallTimeoutError } from './call.errors.js';
import type { CallAttempt, CallOptions, ServiceCall } from './call-options.js';
import { reachOf } from './failures.js';
import { readCallOptions, type ResolvedCallOptions } from './read-call-options.js';
import type { CallablePool } from './speaking-pool.js';

const logger = new Logger('ServiceCall');

/** By what a call tells the time, and how far it spreads its pauses. */
export interface CallGround {
  readonly clock?: MonotonicClock;
  /** From 0 up to, and without, 1. */
  readonly random?: () => number;
}

/**
 * How an attempt ended:
 *
 * - `answered`: with an answer
 * - `given-up`: the caller gave up, or lost the term or the lock that the call was made under
 * - `repeatable`: it failed, and may be made elsewhere
 * - `final`: it failed, and may not
 */
type AttemptEnd<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'given-up' | 'repeatable' | 'final'; readonly error: unknown };

/**
 * Calls one instance of a service, and another one where that fails: always if the call never reached the
 * first, and only an idempotent one if it may have been applied there. Each instance is tried once, as
 * long as there are others; before one is tried again there is a pause.
 *
 * @throws the last attempt's error, as it is
 * @throws {NoInstanceError} if there is nobody to call, or no list within `readyTimeoutMs`
 * @throws {CallTimeoutError} if the last attempt took longer than `timeoutMs`
 * @throws {InvalidDiscoveryOptionError} if what was asked for cannot be; nothing was called
 * @throws the reason of the signal, or of that of the term or lock that was lost, when it aborts
 */
export async function callService<T>(
  pool: CallablePool,
  call: ServiceCall<T>,
  options: CallOptions = {},
  { clock = systemClock, random = Math.random }: CallGround = {},
): Promise<T> {
  const resolved = readCallOptions(options);
  if (typeof call !== 'function') {
    throw new InvalidDiscoveryOptionError('fn', 'What calls an instance must be a function.');
  }
  const signals = resolved.signal ? [resolved.signal, ...ownerSignals()] : ownerSignals();
  const wish = new CallersWish(signals);
  try {
    wish.assertStands();
    const made = new ServiceCalling(pool, call, resolved, wish, clock, random);
    await made.ready();
    return await made.run();
  } finally {
    wish.close();
  }
}

/** What ends a call from the caller's side. */
class CallersWish {
  private readonly controller = new AbortController();
  private readonly cuts: readonly (() => void)[];

  constructor(private readonly signals: readonly AbortSignal[]) {
    this.cuts = signals.map((signal) =>
      onAbort(signal, () => this.controller.abort(signal.reason as unknown)),
    );
  }

  /** Aborts with the first of them. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Reads each by itself: those of terms and locks ask the clock as they are read. */
  assertStands(): void {
    for (const signal of this.signals) signal.throwIfAborted();
  }

  close(): void {
    for (const cut of this.cuts) cut();
  }
}

/** One call, through all its attempts. */
class ServiceCalling<T> {
  private readonly tried = new Set<string>();

  constructor(
    private readonly pool: CallablePool,
    private readonly call: ServiceCall<T>,
    private readonly options: ResolvedCallOptions,
    private readonly wish: CallersWish,
    private readonly clock: MonotonicClock,
    private readonly random: () => number,
  ) {}

  async ready(): Promise<void> {
    if (this.pool.isReady) return;
    const { readyTimeoutMs } = this.options;
    const wait = new AbortController();
    const cancel = this.clock.setTimer(() => wait.abort(this.late()), readyTimeoutMs);
    const cut = onAbort(this.wish.signal, () => wait.abort(this.wish.signal.reason));
    try {
      await this.pool.ready(wait.signal);
    } finally {
      cancel();
      cut();
    }
  }

  async run(): Promise<T> {
    let attempt = this.begin(this.options.choose);
    for (let number = 1; ; number++) {
      this.tried.add(attempt.instance.id);
      const end = await this.make(attempt, number);
      if (end.kind === 'answered') return end.value;
      if (end.kind !== 'repeatable' || number === this.options.attempts) throw end.error;
      attempt = await this.another(number, end.error);
    }
  }

  /** At one that was not tried yet, if there is any; otherwise not at once, for it has just failed. */
  private async another(number: number, error: unknown): Promise<Attempt> {
    const { choose } = this.options;
    const untried = this.beginIfAny({ ...choose, tried: this.tried });
    if (untried) return untried;
    await pause(this.clock, retryDelay(number, DEFAULT_RETRY, this.random), this.wish.signal);
    const again = this.beginIfAny(choose);
    if (again) return again;
    throw error;
  }

  /** Nothing may be sent any more under a term or a lock that is lost, however long it was waited for a list or a pause. */
  private begin(choose: BeginOptions): Attempt {
    this.wish.assertStands();
    return this.pool.begin(choose);
  }

  private beginIfAny(choose: BeginOptions): Attempt | null {
    try {
      return this.begin(choose);
    } catch (error) {
      if (error instanceof NoInstanceError) return null;
      throw error;
    }
  }

  /** Never rejects. What the function does after the end of its attempt changes nothing. */
  private make(attempt: Attempt, number: number): Promise<AttemptEnd<T>> {
    const { instance } = attempt;
    const { timeoutMs } = this.options;
    const controller = new AbortController();
    return new Promise((resolve) => {
      let isOver = false;
      const end = (how: () => AttemptEnd<T>) => {
        if (isOver) return;
        isOver = true;
        cancel();
        cut();
        resolve(how());
      };
      const cut = onAbort(this.wish.signal, () => {
        const { reason } = this.wish.signal as { readonly reason: unknown };
        end(() => givenUp(attempt, reason));
        controller.abort(reason);
      });
      const cancel =
        timeoutMs === null
          ? () => undefined
          : this.clock.setTimer(() => {
              const error = CallTimeoutError.of(instance, timeoutMs);
              end(() => this.failed(attempt, error));
              controller.abort(error);
            }, timeoutMs);
      this.ask(instance, { signal: controller.signal, attempt: number }).then(
        (value) => end(() => answered(attempt, value)),
        (error: unknown) => end(() => this.failed(attempt, error)),
      );
    });
  }

  private async ask(instance: ServiceInstance, call: CallAttempt): Promise<T> {
    let asked: T | PromiseLike<T>;
    try {
      asked = this.call(instance, call);
    } catch (error) {
      throw new ThrownAtOnce(error);
    }
    return await asked;
  }

  private failed(attempt: Attempt, error: unknown): AttemptEnd<T> {
    if (error instanceof ThrownAtOnce) {
      // Nothing was sent yet.
      attempt.abandoned();
      return { kind: 'final', error: error.thrown };
    }
    const reach = reachOf(error, attempt.instance);
    if (reach === 'answered' && isAbort(error))
      return { ...givenUp(attempt, error), kind: 'final' };
    const isFault = reach !== 'answered' || this.isFailure(error);
    if (isFault) attempt.failed(error);
    else attempt.succeeded();
    const isRepeatable = reach === 'unreached' || (isFault && this.options.idempotent);
    return { kind: isRepeatable ? 'repeatable' : 'final', error };
  }

  private isFailure(error: unknown): boolean {
    try {
      // What answers nonsense has not said yes.
      return this.options.isFailure?.(error) === true;
    } catch (fault) {
      logger.warn(
        `The option "isFailure" of a call of the service "${this.pool.service}" threw "${String(fault)}"; the error that it was to judge counts as no failure of the instance.`,
      );
      return false;
    }
  }

  private late(): NoInstanceError {
    return new NoInstanceError(
      this.pool.service,
      `its list has not come within ${this.options.readyTimeoutMs} ms; see whether etcd can be reached`,
    );
  }
}

/** What the function threw before it gave a promise. */
class ThrownAtOnce extends Error {
  constructor(readonly thrown: unknown) {
    super();
  }
}

function answered<T>(attempt: Attempt, value: T): AttemptEnd<T> {
  attempt.succeeded();
  return { kind: 'answered', value };
}

function givenUp(attempt: Attempt, error: unknown) {
  attempt.abandoned(error);
  return { kind: 'given-up', error } as const;
}

function isAbort(error: unknown): boolean {
  return (error as { readonly name?: unknown } | null | undefined)?.name === 'AbortError';
}
