import { CheckRunner, type HealthCheck } from './health/health-check.js';
import { Marks } from './marks.js';
import { wrong } from './option-faults.js';
import { OwnRegistration } from './own-registration.js';
import type { Registration } from './registration.js';
import type { RegistrationGround } from './registration-ground.js';
import type { MarkOptions, ServiceRegistration } from './registration-options.js';
import { DuplicateInstanceError, RegistrationEndedError } from './registry.errors.js';
import { assertHealthCheck } from './validate-health.js';
import { readRegistration } from './validate-registration.js';

/** Whose options they are, in errors. */
const ADDED_CHECK = 'addHealthCheck';

/** What a registry stands on, and who this process is. */
export interface RegistryParts extends RegistrationGround {
  /** Told of each registration that asks to be probed. */
  readonly onProbed?: () => void;
}

/**
 * Registers instances of services that this process serves, each as a key on its session's lease, and
 * marks those of others. Whoever looks for a service finds them with `ServiceDiscovery`.
 */
export class ServiceRegistry {
  private readonly own = new Set<OwnRegistration>();
  private readonly shared = new Map<string, CheckRunner>();
  private readonly marks: Marks;
  private isLeaving = false;
  private closing: Promise<void> | undefined;
  /** Until when one was up that is over. */
  private endedUp = -Infinity;

  constructor(private readonly parts: RegistryParts) {
    this.marks = new Marks(parts);
  }

  /** What this process has registered and not deregistered, what is under way included. */
  get registrations(): readonly Registration[] {
    return [...this.own].filter((registration) => !registration.isEnding);
  }

  /**
   * Registers an instance of a service. Resolves when its key stands in etcd, for which it waits
   * while etcd is away; and if a predecessor of the same id has crashed, until the lease of that one has
   * run out. From then on it keeps itself registered, see {@link Registration}.
   *
   * @throws {InvalidRegistrationError} naming the option that it cannot take; nothing is changed
   * @throws {DuplicateInstanceError} if another process that lives has that id
   * @throws {RegistrationEndedError} if the application shuts down before it stands
   * @throws {EtcdPermissionDeniedError} if the user may not write there
   */
  async register(service: ServiceRegistration): Promise<Registration> {
    const options = readRegistration(service, this.parts.instanceId);
    const { service: name, id, health } = options;
    if (this.isLeaving) {
      throw new RegistrationEndedError(name, id, 'the application is shutting down');
    }
    if (this.registrations.some((other) => other.service === name && other.id === id)) {
      throw new DuplicateInstanceError(name, id, true);
    }
    const taken = Object.keys(health.checks).find((check) => this.shared.has(check));
    if (taken !== undefined) throw this.checkTaken(`health.checks.${taken}`, taken);
    const registration = new OwnRegistration(this.parts, options, this.shared.values());
    this.own.add(registration);
    void registration.whenEnded().then(() => this.forget(registration));
    if (options.probe) this.parts.onProbed?.();
    await registration.stands;
    return registration;
  }

  /**
   * Says that an instance is down, or drains, for a span: the event-driven way of health. Each
   * source has one mark on an instance; another one replaces it as a whole. The mark stands on a
   * lease of its own, and ends with it by itself.
   *
   * @throws {InvalidRegistrationError} naming the option that it cannot take
   * @throws {WriteOutcomeUnknownError} if it is not known whether it stands: it may, for its span, and
   *   in the place of the source's earlier one. Mark again, or unmark, to be sure
   * @throws another EtcdCoordinationError if etcd does not take it; it does not stand then
   */
  mark(service: string, instanceId: string, options: MarkOptions): Promise<void> {
    return this.marks.mark(service, instanceId, options);
  }

  /**
   * Takes a mark back. There need not be one.
   *
   * @param source whose mark; default this process's `instanceId`
   * @throws as {@link mark}; after a WriteOutcomeUnknownError it may be gone or not
   */
  unmark(service: string, instanceId: string, source?: string): Promise<void> {
    return this.marks.unmark(service, instanceId, source);
  }

  /**
   * Adds a health check to all registrations of this process, present and to come. One that is up
   * stays up until the check fails. Returns what takes the check away.
   *
   * @throws {InvalidRegistrationError} if the name is empty or taken, or the check is no function
   */
  addHealthCheck(name: string, check: HealthCheck): () => void {
    assertHealthCheck('healthCheck', name, check, ADDED_CHECK);
    if (this.shared.has(name) || [...this.own].some((other) => other.hasCheck(name))) {
      throw this.checkTaken('healthCheck', name, ADDED_CHECK);
    }
    // One for all registrations: it never runs twice at a time.
    const runner = new CheckRunner(name, check, this.parts.client.clock);
    this.shared.set(name, runner);
    for (const registration of this.own) registration.addCheck(runner);
    return () => {
      if (this.shared.get(name) === runner) this.shared.delete(name);
      for (const registration of this.own) registration.removeCheck(runner);
    };
  }

  /** Asks all health checks at once, rather than when their next round is due. */
  checkHealth(): void {
    for (const registration of this.own) registration.checkHealth();
  }

  /** Until when others may have been told that an instance of this process is up, by the connection's clock; -Infinity if they never were. */
  get upUntil(): number {
    return Math.max(this.endedUp, ...[...this.own].map(({ upUntil }) => upUntil));
  }

  /**
   * Has all registrations drain for good, and registers none any more: the application is going.
   * Resolves when etcd has been told of those that it may hold. Never rejects.
   */
  async drainAll(): Promise<void> {
    this.isLeaving = true;
    await Promise.all([...this.own].map((registration) => registration.drainForGood()));
  }

  /**
   * Deregisters all, and registers none any more. Does not wait for an absent etcd: the keys go with
   * the session's lease then. Never rejects.
   */
  close(): Promise<void> {
    return (this.closing ??= this.leaveAll());
  }

  private async leaveAll(): Promise<void> {
    this.isLeaving = true;
    await Promise.all([...this.own].map((registration) => registration.leave()));
  }

  private forget(registration: OwnRegistration): void {
    this.endedUp = Math.max(this.endedUp, registration.upUntil);
    this.own.delete(registration);
  }

  private checkTaken(option: string, name: string, of?: string) {
    return wrong(
      option,
      name,
      'there is a health check of that name already; give it another one',
      of,
    );
  }
}
