import type { ConfigurationView } from '../../../apps/demo-shared/src/http/config.controller.js';
import type { Actor } from '../stage.js';
import { until } from '../until.js';
import { PATIENCE_MS } from './scene.js';

const LOOK_EVERY_MS = 2;

/** Waits until `holds` of a configuration in each of `actors`, and gives how they have it. */
export function everywhere<T>(
  actors: readonly Actor[],
  key: string,
  holds: (view: ConfigurationView<T>) => boolean,
): Promise<ConfigurationView<T>[]> {
  const look = async (actor: Actor) => {
    const view = await actor.client.config<T>(key);
    return holds(view) ? view : null;
  };
  return Promise.all(
    actors.map((actor) =>
      until(`The ${key} awaited in ${actor.name}`, PATIENCE_MS, () => look(actor), LOOK_EVERY_MS),
    ),
  );
}

/** What `GET /health` says in each of `actors`. */
export function healths(actors: readonly Actor[]): Promise<string[]> {
  return Promise.all(actors.map(({ client }) => client.health()));
}
