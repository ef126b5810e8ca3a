import { duration } from '../narrator.js';
import { type Scene, standing, TAKE_OVER_SLACK_MS } from './scene.js';
import { knownAs, Traffic, unharmed } from './traffic.js';

const SKU = 'bolt';

/** All processes of demo-inventory in one zone are killed at once, and those of the other one serve its customers. */
export async function zoneAct(scene: Scene): Promise<void> {
  const { narrator, stage, ttlMs } = scene;
  const [door] = stage.of('orders');
  if (!door) throw new Error('No process of orders runs.');
  const lost = stage.of('inventory').filter(({ zone }) => zone === door.zone);
  const left = stage.of('inventory').filter(({ zone }) => zone !== door.zone);
  const [names, others] = [lost, left].map((actors) => actors.map(({ name }) => name)) as [
    string[],
    string[],
  ];
  narrator.act(
    'A zone is lost',
    `${door.name} is in zone ${door.zone}, and so are ${names.join(' and ')}, which serve its customers. They are killed at once; ${others.join(' and ')} in the other zone ${others.length > 1 ? 'are' : 'is'} left.`,
  );
  const traffic = Traffic.begin(door, SKU);
  const begunAt = performance.now();
  await traffic.servedAgain(names, begunAt);
  await Promise.all(lost.map(({ child }) => child.kill()));
  const killedAt = performance.now();
  narrator.happens(`kill -9 ${lost.map(({ name, child }) => `${child.pid} (${name})`).join(' ')}`);
  const withinMs = ttlMs + TAKE_OVER_SLACK_MS;
  narrator.expect(
    `its customers are served from the other zone at once, and the dead are off the list within ${duration(withinMs)} (TTL + 0.7 s)`,
  );
  const servedAt = await traffic.servedAgain(others, killedAt);
  const gone = await Promise.all(names.map((name) => knownAs(door, name, 'gone')));
  const goneMs = Math.max(...gone) - killedAt;
  narrator.seen(
    `the next one served ${duration(servedAt - killedAt)} after the kill, the dead gone after ${duration(goneMs)}`,
    goneMs <= withinMs,
  );
  const backFrom = performance.now();
  const back = await Promise.all(lost.map((actor) => stage.replace(actor)));
  narrator.expect(
    'with processes in the zone again, its customers stay in it; nobody was turned away',
  );
  await Promise.all(back.map(({ name }) => knownAs(door, name, 'up')));
  await traffic.servedAgain(
    back.map(({ name }) => name),
    backFrom,
  );
  const homeAt = performance.now();
  await traffic.servedAgain(
    back.map(({ name }) => name),
    homeAt + 500,
  );
  await traffic.end();
  const [told, holds] = unharmed(traffic);
  const abroad = [...traffic.servedBy(homeAt)].filter(([name]) => others.includes(name));
  narrator.seen(told, holds && abroad.length === 0);
  narrator.detail(
    `before: ${traffic.summary(begunAt, killedAt)}; without the zone: ${traffic.summary(killedAt, backFrom)}; now: ${traffic.summary(homeAt)}`,
  );
  await Promise.all(back.map((actor) => standing(scene, actor)));
}
