import type { DynamicModule, Type } from '@nestjs/common';
import { DEFAULT_CONNECTION } from '../../client/connection-name.js';
import { ConfigStore } from '../../config/config.store.js';
import type { OptionsRewrite } from '../../module/coordination.tokens.js';
import type { LeaderTerm } from '../../election/leader-term.js';
import { TestEtcd } from '../etcd/test-etcd.js';
import { runAll } from '../run-all.js';
import { TestingUsageError } from '../testing.errors.js';
import { RealTime } from '../time/real-time.js';
import type { TestTime } from '../time/test-time.js';
import { VirtualTime } from '../time/virtual-time.js';
import { ApplicationStart, warmUp } from './application-start.js';
import type { FleetOptions, InstanceOptions, TestTimeOptions } from './fleet-options.js';
import { type ConfigWaitOptions, FleetWaits, type WaitOptions } from './fleet-waits.js';
import { TestInstance } from './test-instance.js';
import { TestLog, type TestLogEntry } from './test-log.js';

/** For how long an application may start, or end, before time passes: it seldom needs any. Real milliseconds. */
const BOOT_PATIENCE_MS = 3000;
const END_PATIENCE_MS = 300;

/** A module of the application under test. */
export type AppModule = Type | DynamicModule;

/**
 * Instances of an application in one process, on an etcd of their own and by a time of their own.
 * Whatever the application's `EtcdCoordinationModule.forRoot` or `forRootAsync` says of endpoints, TLS,
 * user and `instanceId` is replaced; namespaces, timeouts, TTLs and all else stay.
 *
 * @example
 * ```ts
 * await using fleet = await TestFleet.start(AppModule, { instances: 3 });
 * const leader = await fleet.leaderOf('reconciler');
 * leader.freeze();
 * const next = await fleet.leaderOf('reconciler', { not: leader });
 * ```
 */
export class TestFleet implements AsyncDisposable {
  /** By which all of it lives. */
  readonly time: TestTime;
  private readonly clock: VirtualTime | RealTime;
  private readonly log: TestLog;
  private readonly members: TestInstance[] = [];
  private readonly etcds = new Map<string, Promise<TestEtcd>>();
  private readonly opened = new Map<string, TestEtcd>();
  private readonly waits: FleetWaits;
  private closing: Promise<void> | undefined;

  /** @internal */
  constructor({ time = 'virtual', logger }: TestTimeOptions = {}) {
    if (time !== 'virtual' && time !== 'real') {
      throw new TestingUsageError(
        `There is no time ${JSON.stringify(time)}: give "virtual" or "real".`,
      );
    }
    this.time = this.clock = time === 'real' ? new RealTime() : new VirtualTime();
    this.log = new TestLog(logger ?? null);
    this.waits = new FleetWaits(this);
  }

  /**
   * Starts instances of a module one after the other, and resolves when all have started.
   *
   * @throws TestingUsageError for options that make no sense; and what the application fails to start with
   */
  static async start(module: AppModule, options: FleetOptions = {}): Promise<TestFleet> {
    const { instances = 1, time, logger, ...each } = options;
    const names = namesOf(instances);
    const fleet = new TestFleet({ ...(time && { time }), ...(logger && { logger }) });
    try {
      await fleet.etcdFor(DEFAULT_CONNECTION);
      for (const name of names) await fleet.add(module, { ...each, ...(name && { name }) });
    } catch (error) {
      // Why it did not start is what is to be known.
      await fleet.close().catch(() => undefined);
      throw error;
    }
    return fleet;
  }

  /** A fleet to which instances of several modules are added. Its etcd is there already. */
  static async empty(options: TestTimeOptions = {}): Promise<TestFleet> {
    const fleet = new TestFleet(options);
    await fleet.etcdFor(DEFAULT_CONNECTION);
    return fleet;
  }

  /** All instances, in the order in which they were started, stopped ones included. */
  get instances(): readonly TestInstance[] {
    return this.members;
  }

  /** Those that were not stopped. */
  get running(): readonly TestInstance[] {
    return this.members.filter(({ isStopped }) => !isStopped);
  }

  /** The etcd of the default connection. */
  get etcd(): TestEtcd {
    return this.etcdOf(DEFAULT_CONNECTION);
  }

  /** Everything that the applications have logged, in order. */
  get logs(): readonly TestLogEntry[] {
    return this.log.entries;
  }

  /** The etcd of a connection. Connections of different names have different ones. */
  etcdOf(connection: string): TestEtcd {
    const etcd = this.opened.get(connection);
    if (etcd) return etcd;
    const known = [...this.opened.keys()].map((name) => `"${name}"`).join(', ');
    throw new TestingUsageError(
      `There is no etcd connection "${connection}" in this fleet; there is ${known || 'none'}.`,
    );
  }

  /** An instance by its name. @throws TestingUsageError if there is none */
  instance(name: string): TestInstance {
    const found = this.members.find((instance) => instance.name === name);
    if (found) return found;
    const known = this.members.map((instance) => `"${instance.name}"`).join(', ');
    throw new TestingUsageError(
      `There is no instance "${name}" in this fleet; there is ${known || 'none'}.`,
    );
  }

  /**
   * Starts one more instance, of that module or of another one that works with it. Time passes as far
   * as the start needs it.
   *
   * @throws TestingUsageError if the name is taken; TestWaitError if it does not come up; and what the
   *   application fails to start with. Nothing of it stays then
   */
  async add(module: AppModule, options: InstanceOptions = {}): Promise<TestInstance> {
    this.assertOpen();
    const instance = this.join(options.name ?? this.freeName());
    const start = new ApplicationStart(
      { name: instance.name, log: this.log, rewrite: this.rewriteFor(instance) },
      module,
      options,
    );
    try {
      await warmUp();
      const { app, url } = await this.clock.patiently(() => start.run(), BOOT_PATIENCE_MS, {
        what: `the start of "${instance.name}"`,
        cure: 'see what its factories, onModuleInit and onApplicationBootstrap wait for. It is closed as soon as it comes up.',
      });
      instance.started(app, url);
    } catch (error) {
      await this.discard(instance, start);
      throw error;
    }
    return instance;
  }

  /** Waits until an instance leads, and gives it; with `not`, another one than that. */
  leaderOf(
    election: string,
    options?: WaitOptions & { readonly not?: TestInstance },
  ): Promise<TestInstance> {
    return this.waits.leaderOf(election, options);
  }

  /** Waits for a term of an instance, and gives it. */
  term(
    instance: TestInstance | string,
    election: string,
    options?: WaitOptions,
  ): Promise<LeaderTerm> {
    return this.waits.term(this.one(instance), election, options);
  }

  /** Waits until a lock is held, by whomever or by the one that is given, and gives the instance. */
  lockHolder(
    key: string,
    options?: WaitOptions & { readonly by?: TestInstance },
  ): Promise<TestInstance> {
    return this.waits.lockHolder(key, options);
  }

  /** Waits until an instance waits for a lock that another one holds. */
  lockWaiter(key: string, by: TestInstance | string, options?: WaitOptions): Promise<void> {
    return this.waits.lockWaiter(key, this.one(by), options);
  }

  /**
   * Waits until every instance that follows a configuration has it at that revision or a later one, or
   * has refused what was written there.
   */
  configAt(key: string, revision: bigint, options?: ConfigWaitOptions): Promise<void> {
    return this.waits.configAt(key, revision, options);
  }

  /**
   * Writes a configuration for all, and waits until all who follow it have it. Where instances have
   * different namespaces, one of them is meant: give it, or it is that of the first who follows it.
   *
   * @throws what `ConfigStore.set` refuses it with
   */
  async setConfig(key: string, value: unknown, options: ConfigWaitOptions = {}): Promise<bigint> {
    const { connection = DEFAULT_CONNECTION } = options;
    const writer = this.waits.writerOf(key, options);
    const { namespace } = writer.optionsOf(connection);
    const store = writer.service(ConfigStore, connection);
    const { revision } = await this.time.run(() => store.set(key, value), options.withinMs);
    await this.configAt(key, revision, { ...options, namespace });
    return revision;
  }

  /** Waits until an instance watches a key, relative to the namespace. */
  watching(instance: TestInstance | string, key: string, options?: WaitOptions): Promise<void> {
    return this.waits.watching(this.one(instance), key, options);
  }

  /** Ends every fault that lasts: all instances run, and reach etcd. */
  heal(): void {
    for (const etcd of this.opened.values()) etcd.comeBack();
    runAll(
      this.members.map((instance) => () => instance.heal()),
      'instances have thrown on waking',
    );
  }

  /** Ends all applications in good order, after every fault was mended, and then etcd. Nothing of it stays. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown(() =>
      allEnded(this.members.map((instance) => instance.stop())),
    ));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal An instance that is started elsewhere. */
  join(name: string): TestInstance {
    if (this.members.some((instance) => instance.name === name)) {
      throw new TestingUsageError(`There is an instance "${name}" already: give another name.`);
    }
    const ending = (work: () => Promise<void>) =>
      this.clock.patiently(work, END_PATIENCE_MS, {
        what: `the end of "${name}"`,
        cure: 'see what its onModuleDestroy, beforeApplicationShutdown and onApplicationShutdown wait for.',
      });
    const instance = new TestInstance(name, ending, this.time);
    this.members.push(instance);
    return instance;
  }

  /** @internal What puts this fleet in place of what an application's options say. */
  rewriteFor(instance: TestInstance): OptionsRewrite {
    return async (options) => instance.redirect(await this.etcdFor(options.connection), options);
  }

  /** @internal As {@link close}, with applications that `stop` ends. */
  async shutDown(stop: () => Promise<unknown>): Promise<void> {
    try {
      try {
        this.heal();
      } finally {
        await stop();
      }
    } finally {
      await Promise.all([...this.opened.values()].map((etcd) => etcd.close()));
      this.clock.close();
    }
  }

  /** Nothing of a start that failed stays: why it failed is what is to be known. */
  private async discard(instance: TestInstance, start: ApplicationStart): Promise<void> {
    this.members.splice(this.members.indexOf(instance), 1);
    await instance.end(() => start.giveUp()).catch(() => undefined);
  }

  /** The first `instance-…` that nobody is called. */
  private freeName(): string {
    const taken = new Set(this.members.map(({ name }) => name));
    for (let number = taken.size + 1; ; number += 1) {
      const name = `instance-${number}`;
      if (!taken.has(name)) return name;
    }
  }

  private etcdFor(connection: string): Promise<TestEtcd> {
    let etcd = this.etcds.get(connection);
    if (!etcd) {
      etcd = new TestEtcd(this.time, connection).open().then((opened) => {
        this.opened.set(connection, opened);
        return opened;
      });
      this.etcds.set(connection, etcd);
    }
    return etcd;
  }

  private one(instance: TestInstance | string): TestInstance {
    return typeof instance === 'string' ? this.instance(instance) : instance;
  }

  private assertOpen(): void {
    if (this.closing) throw new TestingUsageError('The fleet is closed: start another one.');
  }
}

function namesOf(instances: number | readonly string[]): readonly (string | undefined)[] {
  if (Array.isArray(instances)) return instances as readonly string[];
  if (Number.isInteger(instances) && (instances as number) >= 0) {
    return Array.from({ length: instances as number }, () => undefined);
  }
  throw new TestingUsageError(
    `A fleet cannot have ${String(instances)} instances: give a whole number, or a list of names.`,
  );
}

/** Waits for all of them, and rejects with the first failure then: etcd must not end under the others. */
async function allEnded(ends: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(ends)) {
    if (end.status === 'rejected') throw end.reason;
  }
}
