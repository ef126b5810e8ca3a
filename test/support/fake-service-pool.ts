import { BehaviorSubject } from 'rxjs';
import { NoInstanceError } from '../../libs/etcd-coordination/src/discovery/discovery.errors.js';
import type {
  Attempt,
  BeginOptions,
  ChooseOptions,
  ServicePool,
} from '../../libs/etcd-coordination/src/discovery/service-pool.js';
import type { ServiceInstance } from '../../libs/etcd-coordination/src/registry/service-instance.js';
import { serviceInstance } from './service-instances.js';

/** The instances that a test says there are, chosen in turn; it notes how each attempt ended. */
export class FakeServicePool implements ServicePool {
  readonly instances$: BehaviorSubject<readonly ServiceInstance[]>;
  /** Such as `a failed`, in the order of the ends. */
  readonly ends: string[] = [];
  /** Why the caller gave up whose attempt ended last, if it did. */
  lastReason: unknown = undefined;
  /** The ids of those that are being called, one for each call. */
  readonly inFlight: string[] = [];
  isReady = true;
  /** What `ready()` does while it is not. */
  becomesReady: (signal?: AbortSignal) => Promise<void> = () => Promise.resolve();
  private turn = 0;

  constructor(
    readonly service: string,
    instances: readonly ServiceInstance[],
  ) {
    this.instances$ = new BehaviorSubject(instances);
  }

  /** Has these ids, at addresses that nobody asks. */
  static of(...ids: string[]): FakeServicePool {
    return new FakeServicePool(
      'stock',
      ids.map((id) => serviceInstance(id)),
    );
  }

  show(instances: readonly ServiceInstance[]): void {
    this.instances$.next(instances);
  }

  ageMs(): number {
    return 0;
  }

  async ready(signal?: AbortSignal): Promise<void> {
    if (this.isReady) return;
    await this.becomesReady(signal);
    this.isReady = true;
  }

  instances(): readonly ServiceInstance[] {
    return this.instances$.value;
  }

  choose({ exclude }: ChooseOptions = {}): ServiceInstance {
    const able = this.instances().filter(({ id, state }) => state === 'up' && !exclude?.has(id));
    const chosen = able[this.turn++ % Math.max(1, able.length)];
    if (!chosen) throw new NoInstanceError(this.service, 'the fake has none');
    return chosen;
  }

  begin({ tried = new Set(), ...options }: BeginOptions = {}): Attempt {
    const exclude = new Set([...(options.exclude ?? []), ...tried]);
    const instance = this.choose({ ...options, exclude });
    this.inFlight.push(instance.id);
    let isOver = false;
    const end = (how: string, why?: unknown) => {
      if (isOver) return;
      isOver = true;
      this.inFlight.splice(this.inFlight.indexOf(instance.id), 1);
      this.ends.push(`${instance.id} ${how}`);
      this.lastReason = why;
    };
    return {
      instance,
      succeeded: () => end('succeeded'),
      failed: () => end('failed'),
      abandoned: (why) => end('abandoned', why),
    };
  }
}
