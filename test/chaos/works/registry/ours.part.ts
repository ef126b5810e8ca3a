import { setTimeout as pause } from 'node:timers/promises';
import type { Subscription } from 'rxjs';
import { instanceKey } from '../../../../libs/etcd-coordination/src/client/keys.js';
import { callService } from '../../../../libs/etcd-coordination/src/discovery/call/call-service.js';
import { ServiceDiscovery } from '../../../../libs/etcd-coordination/src/discovery/service.discovery.js';
import type { ServicePool } from '../../../../libs/etcd-coordination/src/discovery/service-pool.js';
import { ServiceRegistry } from '../../../../libs/etcd-coordination/src/registry/service.registry.js';
import type { Registration } from '../../../../libs/etcd-coordination/src/registry/registration.js';
import type { ServiceInstance } from '../../../../libs/etcd-coordination/src/registry/service-instance.js';
import { machineNow } from '../../../e2e/election/machine-clock.js';
import {
  ATTEMPT_MS,
  CALL_ATTEMPTS,
  type ListedInstance,
  type RegistryNote,
} from '../../check/registry-notes.js';
import type { NoteTaker } from '../../history/notebook.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { askPeer, PeerServer } from './peer-server.js';
import { Pulse } from './pulse.js';
import { SERVICE } from './registry-names.js';

/** As the module's own default: everybody has heard of the farewell before the server closes. */
const NOTICE_MS = 500;
/** All attempts, and the pauses between those that go round again. */
const DEADLINE_MS = (CALL_ATTEMPTS + 5) * ATTEMPT_MS;

/** Is an instance of a service, follows it, and calls it. */
class OursRegistry {
  private readonly pace: Pace;
  private readonly pulse = new Pulse();
  private readonly book: NoteTaker<RegistryNote>;
  private readonly pool: ServicePool;
  private readonly registering: Promise<void>;
  private registration: Registration | null = null;
  private readonly following: Subscription;
  private calls = 0;

  constructor(
    private readonly ground: Ground<OursSystem>,
    private readonly server: PeerServer,
  ) {
    const { system, book, random, rate, fault } = ground;
    this.book = book;
    this.pace = new Pace(random, rate, fault);
    this.pool = system.get(ServiceDiscovery).pool(SERVICE);
    this.following = this.pool.instances$.subscribe({
      next: (list) => this.book.note({ type: 'listed', list: list.map(asListed) }),
      error: (error: unknown) => fault('the list of the service', error),
    });
    this.registering = this.register();
    this.pace.work('a reader of the list', [500, 1000], () => this.look());
    this.pace.work('a caller of the service', [400, 1200], () => this.call());
    this.pace.work('an operator who deletes records', [8000, 20_000], () => this.deleteOne());
  }

  async stop(): Promise<void> {
    const ended = this.pace.stop();
    await this.leave();
    await ended;
    this.following.unsubscribe();
    this.pulse.stop();
    await this.server.close();
  }

  /** Waits for etcd as long as it takes; the end of the application ends that. */
  private async register(): Promise<void> {
    const { system, fault } = this.ground;
    try {
      this.registration = await system
        .get(ServiceRegistry)
        .register({ name: SERVICE, address: this.server.address });
      this.book.note({ type: 'registered' });
    } catch (error) {
      if (oursCode(error) !== 'REGISTRATION_ENDED') fault('the registration', error);
    }
  }

  private async leave(): Promise<void> {
    await this.registering;
    const { registration } = this;
    if (!registration) return;
    try {
      await registration.drain();
      await pause(NOTICE_MS);
      await registration.deregister();
    } catch (error) {
      // The application, which closes meanwhile, was quicker.
      if (oursCode(error) !== 'REGISTRATION_ENDED') this.ground.fault('the farewell', error);
    }
  }

  private look(): void {
    if (!this.pool.isReady) return;
    const t = machineNow();
    const ageMs = this.pool.ageMs();
    this.book.note(
      {
        ...{ type: 'looked', ageMs, list: this.pool.instances().map(asListed) },
        heldUpMs: this.pulse.take(),
        registered: this.registration?.registered ?? false,
      },
      t,
    );
  }

  /** As somebody does who takes a record for that of a process that is dead. */
  private async deleteOne(): Promise<void> {
    const { system, namespace, random } = this.ground;
    const list = this.pool.instances();
    const one = list[random.int(0, list.length - 1)];
    if (!one) return;
    try {
      await system.etcd
        .delete()
        .key(instanceKey(namespace, SERVICE, one.id))
        .exec();
      this.book.note({ type: 'deleted', id: one.id });
    } catch {
      // Past the library there is no error of ours. Whether it was deleted, etcd will say.
    }
  }

  private async call(): Promise<void> {
    // Nobody can be called before there is a list, and that may wait for etcd.
    if (!this.pool.isReady) return;
    const call = (this.calls += 1);
    this.book.note({ type: 'calling', call });
    try {
      const by = await callService(this.pool, (instance, { signal }) => askPeer(instance, signal), {
        ...{ attempts: CALL_ATTEMPTS, timeoutMs: ATTEMPT_MS, idempotent: true },
        isFailure: () => true,
        signal: AbortSignal.any([this.pace.signal, AbortSignal.timeout(DEADLINE_MS)]),
      });
      this.book.note({ type: 'answered', call, by });
    } catch (error) {
      if (this.pace.isOver) return this.book.note({ type: 'abandoned', call });
      const { code, name, message } = error as Error & { readonly code?: unknown };
      this.book.note({
        ...{ type: 'failed', call, message },
        code: oursCode(error) ?? (typeof code === 'string' ? code : name),
      });
    }
  }
}

function asListed({ id, createRevision, state, isProtected }: ServiceInstance): ListedInstance {
  return [id, createRevision.toString(), state, isProtected];
}

export const part: OursPart = {
  start: async (ground) => {
    const registry = new OursRegistry(ground, await PeerServer.start(ground.process));
    return { stop: () => registry.stop() };
  },
};
