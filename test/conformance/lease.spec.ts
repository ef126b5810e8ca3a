import { afterAll, beforeAll, describe, test } from 'vitest';
import type { EtcdApi } from './support/etcd-api.js';
import { normalise } from './support/normalise.js';
import { answers, b, op, put, range, txn } from './support/requests.js';
import { LINES, Rig } from './support/rig.js';

const grant = (api: EtcdApi, ID: number | string, TTL: number | string) =>
  api.call('Lease', 'LeaseGrant', { ID, TTL });
const revoke = (api: EtcdApi, ID: number | string) => api.call('Lease', 'LeaseRevoke', { ID });

/** What is left of a lease, without the seconds that passed meanwhile. */
async function left(api: EtcdApi, ID: number | string, keys = true): Promise<unknown> {
  const response = await api.response('Lease', 'LeaseTimeToLive', { ID, keys });
  const isFresh = Math.abs(Number(response['grantedTTL']) - Number(response['TTL'])) <= 2;
  return {
    ...response,
    TTL: isFresh ? 'nearly all' : response['TTL'],
    keys: (response['keys'] as Buffer[]).map(String).sort(),
  };
}

async function leases(api: EtcdApi): Promise<unknown> {
  const response = await api.response('Lease', 'LeaseLeases');
  return {
    ...response,
    leases: (response['leases'] as { ID: string }[]).map(({ ID }) => ID).sort(),
  };
}

/** Keepalives on one stream, and what came back until it ended. */
function keepAlives(api: EtcdApi, ids: (number | string)[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stream = api.stream('Lease', 'LeaseKeepAlive');
    const received: unknown[] = [];
    stream.on('data', (response) => received.push(response));
    stream.on('end', () => resolve(received));
    stream.on('error', reject);
    for (const ID of ids) stream.write({ ID });
    stream.end();
  });
}

describe.skipIf(LINES.length === 0)('leases, as etcd does them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test('granting, listing, revoking', () =>
    rig.compare(({ api }) =>
      answers(
        () => leases(api),
        () => grant(api, 1, 100),
        () => grant(api, 1, 100),
        () => grant(api, 2, 1),
        () => grant(api, 3, 0),
        () => grant(api, 4, -5),
        () => grant(api, 5, 9_000_000_000),
        () => grant(api, 6, 9_000_000_001),
        () => grant(api, -7, 60),
        () => grant(api, '9223372036854775807', 60),
        () => grant(api, '-9223372036854775808', 60),
        () => leases(api),
        () => left(api, 1),
        () => left(api, -7),
        () => left(api, 404),
        () => left(api, 0),
        () => revoke(api, 404),
        () => revoke(api, 0),
        () => revoke(api, 1),
        () => revoke(api, 1),
        () => grant(api, 1, 60),
        () => keepAlives(api, [1, 404, -7, 0, 1]),
        () => leases(api),
      ),
    ));

  test('an id chosen by the server', () =>
    rig.compare(async ({ api }) => {
      const first = await api.response('Lease', 'LeaseGrant', { TTL: 50 });
      const second = await api.response('Lease', 'LeaseGrant', { TTL: 50 });
      const { leases: listed } = await api.response('Lease', 'LeaseLeases');
      return {
        isPositive: BigInt(first['ID']) > 0n && BigInt(second['ID']) > 0n,
        isNew: first['ID'] !== second['ID'],
        isListed: (listed as { ID: string }[]).some(({ ID }) => ID === first['ID']),
        rest: normalise({ ...first, ID: '' }),
        kept: normalise(await put(api, 'k', 'v', { lease: first['ID'] })),
      };
    }));

  test('keys hang on the lease of their last write', () =>
    rig.compare(({ api }) =>
      answers(
        () => grant(api, 1, 100),
        () => grant(api, 2, 100),
        () => put(api, 'a', '', { lease: 1 }),
        () => put(api, 'b', '', { lease: 1 }),
        () => put(api, 'c', '', { lease: 1 }),
        () => left(api, 1),
        () => left(api, 1, false),
        () => put(api, 'a', '', { lease: 2 }),
        () => put(api, 'b', ''),
        () => left(api, 1),
        () => left(api, 2),
        () => txn(api, { success: [op.remove('c'), op.put('d', '', { lease: 2 })] }),
        () => txn(api, { success: [op.put('e', '', { lease: 1 }), op.put('b', '', { lease: 2 })] }),
        () => put(api, 'a', 'x', { ignore_lease: true }),
        () => left(api, 1),
        () => left(api, 2),
        () => revoke(api, 2),
        () => range(api, '\0', '\0'),
        () => put(api, 'a', '', { lease: 2 }),
        () => put(api, 'a', '', { lease: 1 }),
        () => revoke(api, 1),
        () => range(api, '\0', '\0'),
      ),
    ));

  test('a revoked lease deletes its keys in one revision, in order', () =>
    rig.compare(async ({ api, tape }) => {
      const watch = tape();
      await watch.create({ key: b('a'), range_end: b('\0'), prev_kv: true });
      await grant(api, 1, 100);
      for (const key of ['z', 'a', 'm', 'ab']) await put(api, key, key, { lease: 1 });
      const revoked = await answers(() => revoke(api, 1));
      await watch.untilAtLeast(new Map([['0', 9]]));
      return [revoked, watch.factsOf('0')];
    }));

  test('leases that are not renewed end, each in a revision of its own', () =>
    rig.compare(async ({ api, tape }) => {
      const watch = tape();
      await watch.create({ key: b('\0'), range_end: b('\0'), prev_kv: true });
      // Times far enough apart that etcd's look every half second sees them in this order.
      await grant(api, 1, 1);
      await grant(api, 2, 3);
      await grant(api, 3, 2);
      for (const [key, lease] of [
        ['y', 1],
        ['x', 1],
        ['v', 2],
        ['w', 2],
        ['kept', 3],
      ] as const) {
        await put(api, key, key, { lease });
      }
      const alive = api.stream('Lease', 'LeaseKeepAlive');
      alive.on('data', () => undefined);
      alive.on('error', () => undefined);
      const beat = setInterval(() => alive.write({ ID: 3 }), 500);
      try {
        // One fact is the creation, five are puts, four deletions.
        await watch.untilAtLeast(new Map([['0', 10]]), 6000);
      } finally {
        clearInterval(beat);
        alive.cancel();
      }
      return [
        watch.factsOf('0'),
        ...(await answers(
          () => left(api, 1),
          () => keepAlives(api, [1, 2]),
          () => range(api, '\0', '\0'),
          () => put(api, 'late', '', { lease: 1 }),
        )),
      ];
    }));
});
