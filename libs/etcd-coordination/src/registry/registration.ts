import type { Observable } from 'rxjs';
import type { HealthWord, InstanceState } from './service-instance.js';

/**
 * One instance of a service that this process has registered. It keeps itself registered: after a lost
 * lease, an outage of etcd, or an operator's deletion it is put again, until it is deregistered.
 */
export interface Registration {
  /** The service's name. */
  readonly service: string;
  /** The instance's id. */
  readonly id: string;
  /** What the instance says of itself: by its health checks, and whether it drains. Others may say worse of it. */
  readonly state: InstanceState;
  /** {@link state} as it changes, the present one first. Completes when the registration is over. */
  readonly state$: Observable<InstanceState>;
  /**
   * Who says what of its health; its own word first. Local: what probers and marks say is followed from the
   * first time that this is asked for, and here soon after.
   */
  words(): readonly HealthWord[];
  /** Whether it is known to stand in etcd now, be it with what it said before. Makes no call. */
  readonly registered: boolean;
  /**
   * Takes no new calls from now on, whatever its health. Resolves when etcd has been told: it waits
   * while etcd is away, and while another process stands under its id. If {@link resume} is called
   * meanwhile, it resolves when etcd has been told of that.
   *
   * @throws {RegistrationEndedError} if it is over already
   */
  drain(): Promise<void>;
  /**
   * Takes calls again, if its health allows it. Resolves when etcd has been told, as {@link drain}.
   *
   * @throws {RegistrationEndedError} if it is over, or ends before that, or the application is shutting
   *   down
   */
  resume(): Promise<void>;
  /**
   * Ends it: says that it drains, so that nobody takes its end for a crash, and deletes its key.
   * Resolves when the key is gone, or is certain to go with its lease. Once more changes nothing.
   */
  deregister(): Promise<void>;
}
