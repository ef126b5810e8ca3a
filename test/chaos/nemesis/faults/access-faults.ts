import type { Battlefield, Fault } from '../fault.js';
import { onFree } from './victims.js';
import { comesAbout, pause } from './waiting.js';

const BACK_MS = 10_000;

export const renewCertificates: Fault = {
  kind: 'renew certificates',
  lane: 'network',
  needs: ['tls'],
  leastPerMinute: 0,
  async inflict(field) {
    field.begun(['all']);
    return show(field, 'good');
  },
};

/** No connection can be made any more until the cure, and none stands. */
export const expireCertificates: Fault = {
  kind: 'expire certificates',
  lane: 'network',
  needs: ['tls'],
  leastPerMinute: 0,
  async inflict(field) {
    field.begun(['all']);
    try {
      const hit = await show(field, 'expired');
      await pause(field, field.ttlMs / 2, 2 * field.ttlMs);
      return hit;
    } finally {
      await field.cluster.renewCertificates('good');
    }
  },
};

/** A process says nothing until its token must have expired on every member, and then uses it. */
export const expireToken: Fault = {
  kind: 'expire token',
  lane: 'network',
  needs: ['token-expiry'],
  leastPerMinute: 0,
  inflict: (field) =>
    onFree(field, async ({ id, ways }) => {
      field.begun([id]);
      for (const way of ways) way.blackhole();
      // The members look for expired tokens once a second.
      await pause(field, field.cluster.tokenTtlMs! + 1_500);
      if (field.signal.aborted) return false;
      for (const way of ways) way.reset();
      await Promise.all(ways.map((way) => way.pass()));
      const answered = () => ways.some((way) => way.bytes('to-client') > 0);
      return await comesAbout(field, answered, BACK_MS);
    }),
};

/** Every token of every process is worthless at once, though the password is what it was. */
export const voidTokens: Fault = {
  kind: 'void tokens',
  lane: 'network',
  needs: ['auth'],
  leastPerMinute: 0,
  async inflict({ cluster, begun }) {
    begun(['all']);
    await cluster.voidTokens();
    return true;
  },
};

/** True if a process has met the certificate: it has dialled again since. */
async function show(field: Battlefield, kind: 'good' | 'expired'): Promise<boolean> {
  const { cluster, fleet } = field;
  await cluster.renewCertificates(kind);
  const ways = fleet.slots.flatMap((slot) => slot.ways);
  const opened = () => ways.reduce((sum, way) => sum + way.connectionsOpened, 0);
  const before = opened();
  for (const way of ways) way.reset();
  return comesAbout(field, () => opened() > before, BACK_MS);
}
