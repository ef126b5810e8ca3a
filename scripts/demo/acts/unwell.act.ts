import { duration } from '../narrator.js';
import type { Scene } from './scene.js';
import { known, knownAs, Traffic, unharmed } from './traffic.js';

const SKU = 'bolt';
/** Two rounds of checks, half a second apart, and some time for the word to spread. */
const KNOWN_WITHIN_MS = 3000;

/** A process of demo-inventory says of itself that it cannot work, and is well again. */
export async function unwellAct({ narrator, stage }: Scene): Promise<void> {
  const [door] = stage.of('orders');
  const ill = stage.of('inventory').find(({ zone }) => zone === door?.zone);
  if (!door || !ill) throw new Error('There are too few processes for this act.');
  narrator.act(
    'Somebody is unwell',
    `Customers look at the stock at ${door.name}, which fetches service://demo-inventory/stock/${SKU}: the registry knows who is up, and the processes in the own zone (${door.zone}) come first. Then a health check of ${ill.name} fails, though it still answers.`,
  );
  const traffic = Traffic.begin(door, SKU);
  await traffic.servedAgain([ill.name], performance.now());
  await ill.client.call('POST', '/demo/unwell');
  const from = performance.now();
  narrator.expect(
    `${door.name} knows within ${duration(KNOWN_WITHIN_MS)} that it is down, and why; nobody is sent there any more`,
  );
  const downAt = await knownAs(door, ill.name, 'down');
  const word = (await known(door, ill.name))?.words.find(({ state }) => state === 'down');
  // Whoever was on the way there comes back first.
  const settledAt = performance.now() + KNOWN_WITHIN_MS / 2;
  const others = stage.of('inventory').filter((actor) => actor !== ill);
  await traffic.servedAgain(
    others.map(({ name }) => name),
    settledAt,
  );
  await ill.client.call('DELETE', '/demo/unwell');
  const wellFrom = performance.now();
  const sent = traffic.servedBy(downAt, wellFrom).get(ill.name) ?? 0;
  narrator.seen(
    `down ${duration(downAt - from)} later, says ${word?.source} (${word?.reason}); since then ${sent} were sent there`,
    downAt - from <= KNOWN_WITHIN_MS && word?.source === 'instance' && sent === 0,
  );
  narrator.happens(`The check passes again.`);
  narrator.expect(`it gets its share again, and no customer was turned away`);
  const againAt = await traffic.servedAgain([ill.name], wellFrom);
  await traffic.end();
  const [told, holds] = unharmed(traffic);
  narrator.seen(`${duration(againAt - wellFrom)} later; ${told}`, holds);
  narrator.detail(traffic.summary());
}
