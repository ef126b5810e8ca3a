import { duration } from '../narrator.js';
import type { Scene } from './scene.js';
import { knownAs, Traffic, unharmed } from './traffic.js';

const SKU = 'bolt';

/** One process of demo-inventory is stopped by kill -STOP, and one by a deployment, under the eyes of customers. */
export async function drainAct(scene: Scene): Promise<void> {
  const { narrator, stage, ttlMs } = scene;
  const [door] = stage.of('orders');
  const [frozen, leaving] = stage.of('inventory').filter(({ zone }) => zone === door?.zone);
  if (!door || !frozen || !leaving) throw new Error('There are too few processes for this act.');
  const freezeSeconds = Math.ceil(ttlMs / 1000) + 2;
  narrator.act(
    'One freezes, one leaves',
    `Customers go on looking at the stock at ${door.name}. ${frozen.name} is stopped (kill -STOP) for ${freezeSeconds} s: it accepts connections, and never answers. When it is back, ${leaving.name} gets a SIGTERM.`,
  );
  const traffic = Traffic.begin(door, SKU);
  await traffic.servedAgain([frozen.name], performance.now());
  const frozenAt = performance.now();
  const waking = frozen.child.freeze(freezeSeconds);
  narrator.happens(`kill -STOP ${frozen.child.pid} (${frozen.name})`);
  narrator.expect(
    'its customers are sent on to others after half a second, and soon nobody is sent there',
  );
  const noLongerUp = await knownAs(door, frozen.name, 'down', 'gone');
  await waking;
  narrator.happens(
    `kill -CONT: ${door.name} had known after ${duration(noLongerUp - frozenAt)} that it was not up.`,
  );
  await knownAs(door, frozen.name, 'up');
  await traffic.servedAgain([frozen.name], performance.now());
  narrator.seen(...unharmed(traffic));
  narrator.detail(
    `while it was stopped: ${traffic.summary(frozenAt + 1000, frozenAt + freezeSeconds * 1000)}`,
  );

  const before = traffic.count;
  const stoppedAt = performance.now();
  narrator.happens(`kill -TERM ${leaving.child.pid} (${leaving.name})`);
  narrator.expect(
    'it says that it drains, serves until everybody knows, and goes; nobody is turned away',
  );
  await leaving.child.stop();
  const took = performance.now() - stoppedAt;
  await knownAs(door, leaving.name, 'gone');
  const successor = await stage.replace(leaving);
  await traffic.servedAgain([successor.name], performance.now());
  await traffic.end();
  const [told, holds] = unharmed(traffic);
  narrator.seen(
    `it ended ${duration(took)} after the signal, and ${successor.name} serves in its place; ${traffic.count - before} more, ${told}`,
    holds,
  );
}
