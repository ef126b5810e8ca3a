import type { INestApplicationContext, InjectionToken, Type, Abstract } from '@nestjs/common';
import type { CallKind } from '../../embedded/door/call-kind.js';
import { CALL_KINDS } from '../../embedded/door/call-kind.js';
import type { CutDirection, EmbeddedDoor } from '../../embedded/door/embedded-door.js';
import { EtcdStatus } from '../../embedded/etcd-status.js';
import { DEFAULT_CONNECTION } from '../../client/connection-name.js';
import type { ResolvedCoordinationOptions } from '../../module/coordination-options.js';
import { getCoordinationToken } from '../../module/coordination.tokens.js';
import { EtcdSession } from '../../session/etcd-session.js';
import { status as grpcStatus } from '@grpc/grpc-js';
import type { TestEtcd } from '../etcd/test-etcd.js';
import { TestingUsageError } from '../testing.errors.js';
import { InstanceClock } from '../time/instance-clock.js';
import type { TestTime } from '../time/test-time.js';

/** A gRPC status that a call can fail with, such as `UNAVAILABLE`. */
export type FailureStatus = Exclude<keyof typeof grpcStatus, 'OK'>;

/** Which requests a fault may befall. */
export interface FaultTarget {
  /** Which kind of request; any but probes if left out. */
  readonly kind?: CallKind;
  /** Over which connection. Default `default`. */
  readonly connection?: string;
}

export interface CallFailure extends FaultTarget {
  /** Default `UNAVAILABLE`, which leaves open whether the request was applied. */
  readonly status?: FailureStatus;
  /** etcd's message, by which clients tell errors apart. */
  readonly details?: string;
}

interface Way {
  readonly etcd: TestEtcd;
  readonly door: EmbeddedDoor;
  readonly options: ResolvedCoordinationOptions;
}

/** One instance of an application in a test: what it is made of, and what can happen to it alone. */
export class TestInstance {
  private readonly ways = new Map<string, Way>();
  private readonly clock: InstanceClock;
  private cut: CutDirection | null = null;
  private application: INestApplicationContext | null = null;
  private providers: Pick<INestApplicationContext, 'get'> | null = null;
  private address: string | null = null;
  private stopping: Promise<void> | undefined;

  /** @internal */
  constructor(
    /** Its name, which is its `instanceId` too. */
    readonly name: string,
    private readonly ending: (work: () => Promise<void>) => Promise<void>,
    time: TestTime,
  ) {
    this.clock = new InstanceClock(time);
  }

  /** The application. @throws TestingUsageError while it starts, and for one that the test has started itself */
  get app(): INestApplicationContext {
    if (this.application) return this.application;
    throw new TestingUsageError(
      this.providers
        ? `The test itself has started the application of "${this.name}": use that.`
        : `The instance "${this.name}" has not started yet: await its start.`,
    );
  }

  /** Where it serves HTTP. @throws TestingUsageError if it was not started with `http: true` */
  get url(): string {
    if (this.address !== null) return this.address;
    throw new TestingUsageError(
      `The instance "${this.name}" serves no HTTP: start it with { http: true }.`,
    );
  }

  get isFrozen(): boolean {
    return this.clock.isFrozen;
  }

  get isCutOff(): boolean {
    return this.cut !== null;
  }

  /** Whether it was stopped, or is being. */
  get isStopped(): boolean {
    return this.stopping !== undefined;
  }

  /** A provider of the application, whichever module it is in. */
  get<T>(token: Type<T> | Abstract<T> | InjectionToken<T>): T {
    return (this.providers ?? this.app).get<T>(token, { strict: false });
  }

  /** A service of this library, of a named connection. */
  service<T>(type: Type<T> | Abstract<T>, connection: string = DEFAULT_CONNECTION): T {
    this.way(connection);
    return this.get(getCoordinationToken(type, connection));
  }

  /**
   * Stops everything in it, as SIGSTOP does: no timer fires, nothing reaches it, and nothing that it
   * sends arrives. Its clock goes on, so that it knows on waking what it has lost.
   */
  freeze(): void {
    this.assertRunning('frozen');
    this.clock.freeze();
    this.apply();
  }

  /**
   * Lets it go on: what is overdue fires, then it hears what has come meanwhile.
   *
   * @throws what an overdue timer has thrown, when all of this is done
   */
  thaw(): void {
    try {
      this.clock.thaw();
    } finally {
      this.apply();
    }
  }

  /**
   * Cuts it off from etcd without a word: what it sends, what it is to hear, or both. What is on its
   * way arrives late, when it is mended; requests whose time is over by then do not.
   */
  cutOff(direction: CutDirection = 'both'): void {
    this.assertRunning('cut off');
    if (!['both', 'requests', 'answers'].includes(direction)) {
      throw new TestingUsageError(
        `An instance cannot be cut off in the direction ${JSON.stringify(direction)}: give "requests", "answers" or "both".`,
      );
    }
    this.cut = direction;
    this.apply();
  }

  /** Ends {@link cutOff}. */
  mend(): void {
    this.cut = null;
    this.apply();
  }

  /**
   * Its session's lease ends in etcd, with all that is on it: it learns of that as it would of an
   * operator's `etcdctl lease revoke`.
   *
   * @throws TestingUsageError if it has none
   */
  expireSession(connection: string = DEFAULT_CONNECTION): void {
    const { etcd } = this.way(connection);
    const { lease } = this.service(EtcdSession, connection);
    if (lease && etcd.expire(lease.id)) return;
    throw new TestingUsageError(
      `The instance "${this.name}" has no session that could expire: its lease is over already. Wait until it has another one, by fleet.time.until().`,
    );
  }

  /** Its next request, of that kind if one is given, fails before it is applied. */
  failNext({ kind, connection, status = 'UNAVAILABLE', details }: CallFailure = {}): void {
    // Whoever writes JavaScript may have given anything.
    const code = (grpcStatus as Partial<typeof grpcStatus>)[status];
    if (code === undefined || (status as string) === 'OK') {
      throw new TestingUsageError(
        `A call cannot fail with ${JSON.stringify(status)}: give the name of a gRPC status, such as "UNAVAILABLE".`,
      );
    }
    const said = details ?? `etcdserver: a test has asked for this ${status}`;
    this.doorFor({ kind, connection }).failNext(new EtcdStatus(code, said), kind);
  }

  /** Its next request, of that kind if one is given, is applied, and the answer is lost with the connection. */
  loseNextAnswer({ kind, connection }: FaultTarget = {}): void {
    this.doorFor({ kind, connection }).loseNextAnswer(kind);
  }

  /** How many faults asked for by {@link failNext} and {@link loseNextAnswer} have befallen no request yet. */
  get pendingFaults(): number {
    return [...this.ways.values()].reduce((sum, { door }) => sum + door.pendingFaults, 0);
  }

  /** Ends the application in good order, as a rolling restart does. Time passes as far as that needs it. */
  stop(): Promise<void> {
    return (this.stopping ??= this.shutDown());
  }

  /** @internal Has a connection of the application come here, in place of where it would go. */
  async redirect(
    etcd: TestEtcd,
    options: ResolvedCoordinationOptions,
  ): Promise<ResolvedCoordinationOptions> {
    const door = await etcd.openDoor();
    const { credentials: _tls, auth: _user, ...client } = options.client;
    const { snapshot } = options.config;
    const redirected: ResolvedCoordinationOptions = {
      ...options,
      instanceId: this.name,
      clock: this.clock,
      client: { ...client, endpoints: [door.endpoint] },
      // One file belongs to one process.
      ...(snapshot && {
        config: {
          ...options.config,
          snapshot: { ...snapshot, file: `${snapshot.file}.${this.name}` },
        },
      }),
    };
    this.ways.set(options.connection, { etcd, door, options: redirected });
    return redirected;
  }

  /** @internal Ends every fault of its own that lasts. */
  heal(): void {
    this.mend();
    this.thaw();
  }

  /** @internal Lets time pass for `work`, which ends it and finds it healed, whatever its timers throw on waking. */
  async end(work: () => Promise<void>): Promise<void> {
    try {
      this.heal();
    } finally {
      await this.ending(work);
    }
  }

  /** @internal It is an application of the fleet's. */
  started(application: INestApplicationContext, url: string | null): void {
    this.application = this.providers = application;
    this.address = url;
  }

  /** @internal It is an application of the test's own. */
  adopted(providers: Pick<INestApplicationContext, 'get'>): void {
    this.providers = providers;
  }

  /** @internal Whether its application has come to run. */
  get isStarted(): boolean {
    return this.providers !== null;
  }

  /** @internal Whether a connection of that name was made. */
  has(connection: string): boolean {
    return this.ways.has(connection);
  }

  /** @internal Those that were made, for people. */
  get connections(): string {
    return [...this.ways.keys()].map((name) => `"${name}"`).join(', ') || 'none';
  }

  /** @internal */
  optionsOf(connection: string): ResolvedCoordinationOptions {
    return this.way(connection).options;
  }

  private async shutDown(): Promise<void> {
    const { app } = this;
    await this.end(() => app.close());
  }

  private apply(): void {
    const cut = this.isFrozen ? 'both' : this.cut;
    for (const { door } of this.ways.values()) door.cut(cut);
  }

  private way(connection: string): Way {
    const way = this.ways.get(connection);
    if (way) return way;
    throw new TestingUsageError(
      `The instance "${this.name}" has no etcd connection "${connection}"; it has ${this.connections}.`,
    );
  }

  private doorFor({ kind, connection = DEFAULT_CONNECTION }: FaultTarget): EmbeddedDoor {
    this.assertRunning('given a fault');
    if (kind !== undefined && !CALL_KINDS.includes(kind)) {
      throw new TestingUsageError(
        `There is no kind of request ${JSON.stringify(kind)}: give one of ${CALL_KINDS.join(', ')}.`,
      );
    }
    return this.way(connection).door;
  }

  /** @internal @throws TestingUsageError if it was stopped */
  assertRunning(what: string): void {
    if (!this.isStopped) return;
    throw new TestingUsageError(
      `The instance "${this.name}" was stopped and cannot be ${what}: start another one with fleet.add().`,
    );
  }
}
