import type { TrafficView } from '../../../apps/demo-orders/src/traffic.controller.js';
import type { Actor } from '../stage.js';
import { until } from '../until.js';
import { PATIENCE_MS } from './scene.js';

const LOOK_EVERY_MS = 2;

/** Who turns limits and switches in the story. */
export const OPERATOR = 'ada';

/** Waits until `holds` of the limit and the switch in each process of demo-orders, and gives how they stand. */
export function trafficIn(
  doors: readonly Actor[],
  what: string,
  holds: (view: TrafficView) => boolean,
): Promise<TrafficView[]> {
  const look = async ({ client }: Actor) => {
    const view = await client.traffic();
    return holds(view) ? view : null;
  };
  return Promise.all(
    doors.map((door) =>
      until(`${what} in ${door.name}`, PATIENCE_MS, () => look(door), LOOK_EVERY_MS),
    ),
  );
}

/** The sum of what was written, and in how many transactions, in all of them. */
export async function trailOf(doors: readonly Actor[]): Promise<TrafficView['trail']> {
  const views = await Promise.all(doors.map(({ client }) => client.traffic()));
  const sum = (of: 'written' | 'transactions') =>
    views.reduce((total, { trail }) => total + trail[of], 0);
  return { written: sum('written'), transactions: sum('transactions') };
}
