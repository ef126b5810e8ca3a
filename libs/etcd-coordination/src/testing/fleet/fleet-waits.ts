import { DEFAULT_CONNECTION } from '../../client/connection-name.js';
import { electionPrefix } from '../../client/keys.js';
import type { ConfigStatus } from '../../config/config-change.js';
import { ConfigStore } from '../../config/config.store.js';
import { decodeRecord } from '../../election/candidate-record.js';
import { ElectionService } from '../../election/election.service.js';
import type { LeaderTerm } from '../../election/leader-term.js';
import { WatchHub } from '../../watch/watch-hub.js';
import type { TestEtcd } from '../etcd/test-etcd.js';
import { TestingUsageError, TestWaitError } from '../testing.errors.js';
import { DEFAULT_WITHIN_MS, type TestTime } from '../time/test-time.js';
import { isHeldBy, lockStanding, tellStanding } from './lock-standing.js';
import type { TestInstance } from './test-instance.js';

/** How something is waited for. */
export interface WaitOptions {
  /** For how long at most, in milliseconds of the test's time. Default 60,000. */
  readonly withinMs?: number;
  /** The etcd connection that it is about. Default `default`. */
  readonly connection?: string;
}

/** How a configuration is waited for. */
export interface ConfigWaitOptions extends WaitOptions {
  /** Which namespace's, where instances of the fleet have different ones. Default: every one's that follows it. */
  readonly namespace?: string;
}

/** What is waited in: a fleet. */
export interface WaitGround {
  readonly time: TestTime;
  readonly running: readonly TestInstance[];
  etcdOf(connection: string): TestEtcd;
}

interface Follower {
  readonly instance: TestInstance;
  readonly status: ConfigStatus;
}

/** Waits for what a fleet is to come to, letting time pass only as far as that takes. */
export class FleetWaits {
  constructor(private readonly ground: WaitGround) {}

  /** The instance that leads. */
  async leaderOf(
    election: string,
    { not, ...options }: WaitOptions & { readonly not?: TestInstance } = {},
  ): Promise<TestInstance> {
    const { connection = DEFAULT_CONNECTION } = options;
    const leader = () =>
      this.of(connection).find(
        (instance) => instance !== not && termOf(instance, election, connection) !== null,
      );
    const who = not ? `another leader than "${not.name}"` : 'a leader';
    await this.until(`${who} of the election "${election}"`, leader, options, () =>
      this.tellCandidates(election, connection),
    );
    return leader()!;
  }

  /** The term of that instance. */
  async term(
    instance: TestInstance,
    election: string,
    options: WaitOptions = {},
  ): Promise<LeaderTerm> {
    const { connection = DEFAULT_CONNECTION } = options;
    instance.assertRunning('leading again');
    const term = () => termOf(instance, election, connection);
    await this.until(
      `a term of "${instance.name}" in the election "${election}"`,
      term,
      options,
      () => this.tellCandidates(election, connection),
    );
    return term()!;
  }

  /** The instance of which work holds the lock of that name: any, or the one that is given. */
  async lockHolder(
    key: string,
    { by, ...options }: WaitOptions & { readonly by?: TestInstance } = {},
  ): Promise<TestInstance> {
    const { connection = DEFAULT_CONNECTION } = options;
    by?.assertRunning('holding a lock');
    const holds = (instance: TestInstance) =>
      this.standing(instance, key, connection).granted.includes(instance.name) &&
      isHeldBy(instance, key, connection);
    const holder = () =>
      this.of(connection).find((instance) => (!by || instance === by) && holds(instance));
    const who = by ? `"${by.name}"` : 'somebody';
    await this.until(`${who} to hold the lock "${key}"`, holder, options, () =>
      this.tellLock(key, connection),
    );
    return holder()!;
  }

  /** Waits until that instance waits for the lock. */
  async lockWaiter(key: string, by: TestInstance, options: WaitOptions = {}): Promise<void> {
    const { connection = DEFAULT_CONNECTION } = options;
    by.assertRunning('waiting for a lock');
    await this.until(
      `"${by.name}" to wait for the lock "${key}"`,
      () => by.isStarted && this.standing(by, key, connection).waiting.includes(by.name),
      options,
      () => this.tellLock(key, connection),
    );
  }

  /**
   * An instance that can write a configuration for those who follow it.
   *
   * @throws TestingUsageError if nobody follows it, or none can: nothing is written that nobody takes
   */
  writerOf(key: string, options: ConfigWaitOptions): TestInstance {
    const { connection = DEFAULT_CONNECTION } = options;
    const [first] = this.followers(key, options);
    if (!first) throw nobodyFollows(key, options);
    const { namespace } = first.instance.optionsOf(connection);
    const writer = this.of(connection).find(
      (one) => !one.isFrozen && !one.isCutOff && isOf(one, connection, namespace),
    );
    if (writer) return writer;
    throw new TestingUsageError(
      `No instance in the namespace "${namespace}" can write the configuration "${key}":${this.tellFaults()}`,
    );
  }

  /** Waits until every instance that follows a configuration has it at that revision, or at a later one. */
  async configAt(key: string, revision: bigint, options: ConfigWaitOptions = {}): Promise<void> {
    const standing = () => this.followers(key, options);
    if (standing().length === 0) throw nobodyFollows(key, options);
    const has = ({ status }: Follower) =>
      status.revision >= revision || (status.rejected?.revision ?? -1n) >= revision;
    await this.until(
      `the configuration "${key}" at revision ${revision} everywhere`,
      () => standing().every(has),
      options,
      () =>
        standing()
          .map(({ instance, status }) => `"${instance.name}" at ${status.revision}`)
          .join(', ') +
        '.' +
        this.tellFaults(),
    );
  }

  /** Waits until a watch of that instance stands in etcd that is told of a key, relative to the namespace. */
  async watching(instance: TestInstance, key: string, options: WaitOptions = {}): Promise<void> {
    const { connection = DEFAULT_CONNECTION } = options;
    instance.assertRunning('watching');
    const hub = instance.service(WatchHub, connection);
    const whole = `${instance.optionsOf(connection).namespace}/${key}`;
    await this.until(
      `"${instance.name}" to watch "${whole}"`,
      () => hub.isWatching(whole),
      options,
      () => `no watch of it stands that is told of that key.${this.tellFaults()}`,
    );
  }

  private async until(
    awaited: string,
    condition: () => unknown,
    { withinMs = DEFAULT_WITHIN_MS }: WaitOptions,
    seen: () => string,
  ): Promise<void> {
    if (await this.ground.time.until(() => Boolean(condition()), withinMs)) return;
    throw new TestWaitError(awaited, withinMs, seen());
  }

  private followers(key: string, options: ConfigWaitOptions): Follower[] {
    const { connection = DEFAULT_CONNECTION, namespace } = options;
    return this.of(connection)
      .filter((instance) => isOf(instance, connection, namespace))
      .flatMap((instance) => {
        const status = configOf(instance, key, connection);
        return status ? [{ instance, status }] : [];
      });
  }

  private of(connection: string): TestInstance[] {
    const { running } = this.ground;
    const found = running.filter((instance) => instance.isStarted && instance.has(connection));
    // One that starts may come to have it.
    if (found.length > 0 || running.some(({ isStarted }) => !isStarted)) return found;
    const there = running.map(({ name, connections }) => `"${name}" has ${connections}`).join(', ');
    throw new TestingUsageError(
      `No instance that runs has an etcd connection "${connection}": ${there || 'none runs, start one with fleet.add()'}.`,
    );
  }

  private standing(instance: TestInstance, key: string, connection: string) {
    return lockStanding(instance, key, { etcd: this.ground.etcdOf(connection), connection });
  }

  private tellLock(key: string, connection: string): string {
    const isHeld = (name: string) =>
      this.of(connection).some((one) => one.name === name && isHeldBy(one, key, connection));
    const told = this.inEachNamespace(connection, (one) =>
      tellStanding(this.standing(one, key, connection), isHeld),
    );
    return told + this.tellFaults();
  }

  private tellCandidates(election: string, connection: string): string {
    const told = this.inEachNamespace(connection, (one) => {
      const prefix = electionPrefix(one.optionsOf(connection).namespace, election);
      const entries = [...this.ground.etcdOf(connection).entries(prefix)].sort(byCreation);
      const names = entries.map(({ value }) => `"${decodeRecord(Buffer.from(value)).id}"`);
      if (names.length > 0) return `candidates, in this order: ${names.join(', ')}.`;
      return 'nobody stands in it: a class with @Leader joins it as a provider, ElectionService.join does by hand.';
    });
    return told + this.tellFaults();
  }

  /** The same name means something else in another namespace. */
  private inEachNamespace(connection: string, tell: (one: TestInstance) => string): string {
    const byNamespace = new Map(
      this.of(connection).map((one) => [one.optionsOf(connection).namespace, one]),
    );
    if (byNamespace.size === 0) return 'no instance has started.';
    if (byNamespace.size === 1) return [...byNamespace.values()].map(tell).join('');
    return [...byNamespace]
      .map(([name, one]) => `in the namespace "${name}": ${tell(one)}`)
      .join(' ');
  }

  /** What may be in the way, and how it ends. */
  private tellFaults(): string {
    const faulty = this.ground.running.flatMap(({ name, isFrozen, isCutOff }) =>
      isFrozen ? [`"${name}" is frozen`] : isCutOff ? [`"${name}" is cut off`] : [],
    );
    return faulty.length > 0 ? ` Note that ${faulty.join(', ')}: thaw() and mend() end that.` : '';
  }
}

function byCreation(a: { createRevision: bigint }, b: { createRevision: bigint }): number {
  return Number(a.createRevision - b.createRevision);
}

function nobodyFollows(key: string, { namespace }: ConfigWaitOptions): TestingUsageError {
  const where = namespace === undefined ? '' : ` in the namespace "${namespace}"`;
  return new TestingUsageError(
    `No instance${where} follows the configuration "${key}", so none will have it: watch it with @WatchConfig or ConfigStore.`,
  );
}

function isOf(instance: TestInstance, connection: string, namespace: string | undefined): boolean {
  return namespace === undefined || instance.optionsOf(connection).namespace === namespace;
}

function termOf(instance: TestInstance, election: string, connection: string): LeaderTerm | null {
  const term = instance.service(ElectionService, connection).term(election);
  return term?.isValid() ? term : null;
}

function configOf(
  instance: TestInstance,
  key: string,
  connection: string,
): ConfigStatus | undefined {
  return instance
    .service(ConfigStore, connection)
    .status()
    .find((status) => status.key === key);
}
