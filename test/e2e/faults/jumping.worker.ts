/** A process that leads and holds a lock, whose wall clock is set while it does. */
import { jumpWallClock } from '../../chaos/worker/wall-clock.js';
import { createInterface } from 'node:readline';
import { Instance, TermLog } from '../election/instance.js';
import { waitFor } from '../../support/wait-for.js';

const [endpoint, ttl] = process.argv.slice(2) as [string, string];
const say = (message: object) => console.log(JSON.stringify(message));

const instance = await Instance.start('jumping', endpoint, { ttlSeconds: Number(ttl) });
const terms = new TermLog(instance, 'e');
await instance.elections.join('e');
const term = await waitFor(() => terms.standing, { what: 'to lead' });
const lock = await instance.locks.acquire('l');
say({ type: 'holds', epoch: term.epoch.toString(), token: lock.token.toString() });

for (const [of, { signal }] of [
  ['term', term],
  ['lock', lock],
] as const) {
  signal.addEventListener('abort', () => say({ type: 'lost', of, why: String(signal.reason) }));
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { jump } = JSON.parse(line) as { jump: number };
  jumpWallClock(jump);
  say({ type: 'jumped', wallClock: Date.now(), valid: term.isValid() && lock.isValid() });
  const { lease } = instance.session;
  const deadline = () => performance.now() + (lease?.remainingMs() ?? 0);
  const before = deadline();
  // Two keepalives that were sent after the jump.
  void waitFor(() => deadline() > before + Number(ttl) * 500, { what: 'renewals' }).then(
    () =>
      say({
        type: 'renewed',
        valid: term.isValid() && lock.isValid(),
        same: lease === instance.session.lease,
      }),
    (error: unknown) => say({ type: 'not renewed', why: String(error) }),
  );
});
