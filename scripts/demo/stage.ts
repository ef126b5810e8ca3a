import { join } from 'node:path';
import { Child } from './child.js';
import { freePort } from './ports.js';
import { ServiceClient } from './service-client.js';

export type ServiceKind = 'orders' | 'inventory';

/** One running process of a service. */
export interface Actor {
  readonly name: string;
  readonly kind: ServiceKind;
  /** Its place in lists, which the one that replaces it takes over together with the port. */
  readonly place: number;
  readonly port: number;
  /** Where it is said to run: calls stay in it while they can. */
  readonly zone: string;
  /** The label that staged releases are aimed at. */
  readonly track: 'canary' | 'stable';
  readonly client: ServiceClient;
  readonly child: Child;
}

export interface StageOptions {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly ttlSeconds: number;
  readonly logs: string;
}

const FIRST_PORT: Record<ServiceKind, number> = { orders: 3001, inventory: 3011 };
/** Who there is, each in its place, and the zone of that place. */
const PLACES: readonly (readonly [kind: ServiceKind, zone: string])[] = [
  ['orders', 'a'],
  ['orders', 'b'],
  ['inventory', 'a'],
  ['inventory', 'a'],
  ['inventory', 'b'],
];

/** The first process of orders gets what is new before the others do. */
const CANARY_PLACE = 0;

/** The processes of both services: starts, replaces and ends them. */
export class Stage {
  private readonly cast = new Map<string, Actor>();
  private readonly numbers: Record<ServiceKind, number> = { orders: 0, inventory: 0 };
  private readonly children = new Set<Child>();
  private closing = false;

  constructor(private readonly options: StageOptions) {}

  /** Those that play a part: the processes of orders, then those of inventory, each in its place. */
  get actors(): Actor[] {
    return [...this.cast.values()].sort((a, b) => a.place - b.place);
  }

  get endpoints(): readonly string[] {
    return this.options.endpoints;
  }

  /** Every process that was ever started, for its log. */
  get everyChild(): Iterable<Child> {
    return this.children;
  }

  of(kind: ServiceKind): Actor[] {
    return this.actors.filter((actor) => actor.kind === kind);
  }

  /** The running process of that name. */
  get(name: string): Actor {
    const actor = this.cast.get(name);
    if (!actor) throw new Error(`${name} is not a process of this demo that runs.`);
    return actor;
  }

  /** Starts a process for every place. */
  async open(): Promise<void> {
    const taken = new Set<number>();
    const starts: (() => Promise<Actor>)[] = [];
    for (const [place, [kind]] of PLACES.entries()) {
      const before = PLACES.slice(0, place).filter(([other]) => other === kind).length;
      const port = await freePort(FIRST_PORT[kind] + before, taken);
      taken.add(port);
      starts.push(() => this.start(kind, place, port));
    }
    await allOrFirstError(starts.map((start) => start()));
  }

  /**
   * Takes a process that ended out of the cast, and starts another in its place, with the snapshot
   * that it left. It finds etcd at `endpoints`, where all others do if they are left out.
   */
  replace(actor: Actor, endpoints?: readonly string[]): Promise<Actor> {
    this.cast.delete(actor.name);
    return this.start(actor.kind, actor.place, actor.port, endpoints);
  }

  /** Calls `listener` when a process that plays a part has ended, by whatever hand. */
  onExit(listener: (actor: Actor) => void): void {
    const follow = (actor: Actor) =>
      void actor.child.exited.then(() => {
        if (!this.closing && this.cast.has(actor.name)) listener(actor);
      });
    this.actors.forEach(follow);
    this.follow = follow;
  }

  /** Ends every process. */
  async close(): Promise<void> {
    this.closing = true;
    await Promise.all([...this.children].map((child) => child.stop()));
  }

  private follow: (actor: Actor) => void = () => {};

  private async start(
    kind: ServiceKind,
    place: number,
    port: number,
    endpoints = this.options.endpoints,
  ): Promise<Actor> {
    if (this.closing) throw new Error('The demo is ending.');
    this.numbers[kind] += 1;
    const name = `${kind}-${this.numbers[kind]}`;
    const track = place === CANARY_PLACE ? 'canary' : 'stable';
    const [, zone] = PLACES[place]!;
    const { prefix, ttlSeconds, logs } = this.options;
    const script = `apps/demo-${kind}/src/main.js`;
    const env = {
      INSTANCE_ID: name,
      HOST: '127.0.0.1',
      PORT: String(port),
      ETCD_ENDPOINTS: endpoints.join(','),
      DEMO_PREFIX: prefix,
      SESSION_TTL: String(ttlSeconds),
      TRACK: track,
      ZONE: zone,
      CONFIG_SNAPSHOT: join(logs, `${kind}-at-${port}.snapshot`),
      DEMO: '1',
    };
    const child = Child.start(name, script, env, logs);
    this.children.add(child);
    await child.ready();
    const client = new ServiceClient(urlOf(port));
    const actor: Actor = { name, kind, place, port, zone, track, client, child };
    this.cast.set(name, actor);
    this.follow(actor);
    return actor;
  }
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** Like `Promise.all`, and no other rejection is left unheard. */
async function allOrFirstError(promises: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
