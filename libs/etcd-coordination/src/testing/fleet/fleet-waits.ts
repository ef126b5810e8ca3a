import { DEFAULT_CONNECTION } from '../../client/connection-name.js';
import { electionPrefix, lockQueuePrefix } from '../../client/keys.js';
import type { ConfigStatus } from '../../config/config-change.js';
import { ConfigStore } from '../../config/config.store.js';
import { decodeRecord } from '../../election/candidate-record.js';
import { ElectionService } from '../../election/election.service.js';
import type { LeaderTerm } from '../../election/leader-term.js';
import { decodeLockRecord } from '../../lock/lock-record.js';
import { WatchHub } from '../../watch/watch-hub.js';
import type { TestEtcd } from '../etcd/test-etcd.js';
import { TestingUsageError, TestWaitError } from '../testing.errors.js';
import { DEFAULT_WITHIN_MS, type TestTime } from '../time/test-time.js';
import type { TestInstance } from './test-instance.js';

/** How something is waited for. */
export interface WaitOptions {
  /** For how long at most, in milliseconds of the test's time. Default 60,000. */
  readonly withinMs?: number;
  /** The etcd connection that it is about. Default `default`. */
  readonly connection?: string;
}

/** What is waited in: a fleet. */
export interface WaitGround {
  readonly time: TestTime;
  readonly running: readonly TestInstance[];
  etcdOf(connection: string): TestEtcd;
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
      this.candidates(election, connection),
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
    const term = () => termOf(instance, election, connection);
    await this.until(
      `a term of "${instance.name}" in the election "${election}"`,
      term,
      options,
      () => this.candidates(election, connection),
    );
    return term()!;
  }

  /** The instance that holds the lock of that name: any, or the one that is given. */
  async lockHolder(
    key: string,
    { by, ...options }: WaitOptions & { readonly by?: TestInstance } = {},
  ): Promise<TestInstance> {
    const { connection = DEFAULT_CONNECTION } = options;
    const holder = () => {
      const [first] = this.queue(key, connection);
      const found = this.of(connection).find(({ name }) => name === first);
      return by && found !== by ? undefined : found;
    };
    const who = by ? `"${by.name}"` : 'somebody';
    await this.until(`${who} to hold the lock "${key}"`, holder, options, () =>
      this.lockQueue(key, connection),
    );
    return holder()!;
  }

  /** Waits until that instance waits for the lock. */
  async lockWaiter(key: string, by: TestInstance, options: WaitOptions = {}): Promise<void> {
    const { connection = DEFAULT_CONNECTION } = options;
    await this.until(
      `"${by.name}" to wait for the lock "${key}"`,
      () => this.queue(key, connection).slice(1).includes(by.name),
      options,
      () => this.lockQueue(key, connection),
    );
  }

  /** Waits until every instance that follows a configuration has it at that revision, or at a later one. */
  async configAt(key: string, revision: bigint, options: WaitOptions = {}): Promise<void> {
    const { connection = DEFAULT_CONNECTION } = options;
    const standing = () =>
      this.of(connection).flatMap((instance) => {
        const status = configOf(instance, key, connection);
        return status ? [{ instance, status }] : [];
      });
    if (standing().length === 0) {
      throw new TestingUsageError(
        `No instance follows the configuration "${key}", so none will have it: watch it with @WatchConfig or ConfigStore.`,
      );
    }
    const has = ({ status }: { status: ConfigStatus }) =>
      status.revision >= revision || (status.rejected?.revision ?? -1n) >= revision;
    await this.until(
      `the configuration "${key}" at revision ${revision} everywhere`,
      () => standing().every(has),
      options,
      () =>
        standing()
          .map(({ instance, status }) => `"${instance.name}" at ${status.revision}`)
          .join(', ') + '.',
    );
  }

  /** Waits until a watch of that instance stands in etcd that is told of a key, relative to the namespace. */
  async watching(instance: TestInstance, key: string, options: WaitOptions = {}): Promise<void> {
    const { connection = DEFAULT_CONNECTION } = options;
    const hub = instance.service(WatchHub, connection);
    const whole = `${instance.optionsOf(connection).namespace}/${key}`;
    await this.until(
      `"${instance.name}" to watch "${whole}"`,
      () => hub.isWatching(whole),
      options,
      () => 'no watch of it stands that is told of that key.',
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

  private of(connection: string): TestInstance[] {
    const { running } = this.ground;
    const found = running.filter((instance) => instance.isStarted && instance.has(connection));
    // One that starts may come to have it.
    if (found.length > 0 || running.some(({ isStarted }) => !isStarted)) return found;
    throw new TestingUsageError(`No instance that runs has an etcd connection "${connection}".`);
  }

  /** Who stands in the queue of a lock, the holder first. */
  private queue(key: string, connection: string): string[] {
    const [one] = this.of(connection);
    if (!one) return [];
    const prefix = lockQueuePrefix(one.optionsOf(connection).namespace, key);
    return [...this.ground.etcdOf(connection).entries(prefix)]
      .sort(byCreation)
      .map(({ value }) => decodeLockRecord(Buffer.from(value)).id);
  }

  private lockQueue(key: string, connection: string): string {
    const [holder, ...waiting] = this.queue(key, connection);
    if (holder === undefined) return 'nobody has it, and nobody waits for it.';
    const others = waiting.length > 0 ? `${waiting.join(', ')} wait for it` : 'nobody waits';
    return `"${holder}" has it, and ${others}.`;
  }

  private candidates(election: string, connection: string): string {
    const [one] = this.of(connection);
    if (!one) return 'no instance has started.';
    const prefix = electionPrefix(one.optionsOf(connection).namespace, election);
    const entries = [...this.ground.etcdOf(connection).entries(prefix)].sort(byCreation);
    const names = entries.map(({ value }) => `"${decodeRecord(Buffer.from(value)).id}"`);
    const frozen = this.ground.running.filter(({ isFrozen }) => isFrozen).map(({ name }) => name);
    const stand =
      names.length === 0 ? 'nobody stands in it' : `${names.join(', ')} stand in it, in that order`;
    return frozen.length > 0 ? `${stand}; frozen: ${frozen.join(', ')}.` : `${stand}.`;
  }
}

function byCreation(a: { createRevision: bigint }, b: { createRevision: bigint }): number {
  return Number(a.createRevision - b.createRevision);
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
