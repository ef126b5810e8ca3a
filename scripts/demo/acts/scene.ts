import type { Narrator } from '../narrator.js';
import type { Observer, SeenLeadership } from '../observer.js';
import type { OrderDesk } from '../order-desk.js';
import type { Actor, Stage } from '../stage.js';
import { until } from '../until.js';

/** What every act plays with. */
export interface Scene {
  readonly narrator: Narrator;
  readonly stage: Stage;
  readonly observer: Observer;
  readonly desk: OrderDesk;
  /** The time to live that etcd granted to the services' leases. */
  readonly ttlMs: number;
  readonly prefix: string;
}

/** Articles of the demo, with what is put on the shelf of each. The lamps do not suffice. */
export const SHELF: Readonly<Record<string, number>> = { bolt: 1000, nut: 1000, lamp: 5 };
export const PLENTY = ['bolt', 'nut'] as const;

/** After a crash etcd itself may take half a second above the TTL. */
export const TAKE_OVER_SLACK_MS = 700;
/** How long the story waits for something that must come, before it calls it missing. */
export const PATIENCE_MS = 30_000;

export interface Reign {
  readonly actor: Actor;
  readonly epoch: bigint;
}

/** Who leads now. */
export function reign({ observer, stage }: Scene): Reign {
  const leader = observer.leader;
  if (!leader) throw new Error('Nobody leads, where somebody should.');
  return { actor: stage.get(leader.leaderId), epoch: leader.epoch };
}

/** Waits until the process that etcd names says of itself that it leads. */
export async function confirmed({ stage }: Scene, { leadership }: SeenLeadership): Promise<void> {
  const { client, name } = stage.get(leadership.leaderId);
  await until(`${name}'s own word that it leads`, PATIENCE_MS, async () => {
    const { term } = await client.coordination();
    return term?.epoch === leadership.epoch.toString() ? term : null;
  });
}

/** Waits until `actor` stands in the election. */
export function standing({ observer }: Scene, actor: Actor): Promise<true> {
  return until(`${actor.name} in the election`, PATIENCE_MS, async () => {
    const candidates = await observer.candidates();
    return candidates.some(({ candidateId }) => candidateId === actor.name) || null;
  });
}

/** Starts another process in the place of one that ended, and waits until it stands. */
export async function replace(scene: Scene, gone: Actor): Promise<void> {
  const actor = await scene.stage.replace(gone);
  await standing(scene, actor);
  scene.narrator.happens(`${actor.name} (pid ${actor.child.pid}) takes the place of ${gone.name}.`);
}
