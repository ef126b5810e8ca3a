import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RateLimitOptions } from '../../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { type ServerUnderTest, serversUnderTest } from '../watch/servers.js';
import { LimitMember, NAMESPACE } from './limit-member.js';

const LIMITS: Record<string, RateLimitOptions> = {
  fleet: { limit: 1000, windowMs: 1000, mode: 'fleet' },
  turned: { limit: 1000, windowMs: 3_600_000, burst: 1000, mode: 'instance' },
  own: { limit: 10, windowMs: 60_000, mode: 'instance' },
  users: { limit: 100, windowMs: 60_000, mode: 'fleet', key: 'user' },
};

describe.each(await serversUnderTest())('a limit on $name', ({ start }) => {
  let server: ServerUnderTest;
  let members: LimitMember[] = [];
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  afterEach(async () => {
    await Promise.all(members.map((member) => member.close()));
    members = [];
  });

  async function member(id: string, options: { ttlSeconds?: number } = {}): Promise<LimitMember> {
    const started = await LimitMember.start(id, server.endpoint, LIMITS, options);
    members.push(started);
    return started;
  }
  const shares = () => members.map(({ limiter }) => limiter.status('fleet').share);
  const sharedBy = (count: number) =>
    waitFor(() => shares().every((share) => share === 1 / count), {
      what: () => `shares of 1/${count}: ${shares().join(', ')}`,
    });

  it('is divided among those who use it, and nobody else', async () => {
    const [first, second] = [await member('a'), await member('b')];
    await member('idle');
    await first.limiter.use('fleet');
    expect(first.limiter.status('fleet')).toMatchObject({ share: 1, members: 1 });

    // The first has less before the newcomer has anything, which begins with nothing.
    const joined = second.limiter.use('fleet');
    expect(second.limiter.check('fleet').allowed).toBe(false);
    await waitFor(() => first.limiter.status('fleet').share === 0.5, { what: 'a half' });
    expect(second.limiter.status('fleet').share).toBe(0);
    await joined;
    expect(second.limiter.status('fleet').share).toBe(0.5);

    await second.close();
    members = members.filter((one) => one !== second);
    await waitFor(() => first.limiter.status('fleet').share === 1, { what: 'the whole' });
    expect(await keysUnder(server.endpoint, `${NAMESPACE}/traffic/`)).toHaveLength(1);
  });

  it('counts two processes of one name as two', async () => {
    await Promise.all([await member('a'), await member('a')].map((m) => m.limiter.use('fleet')));
    await sharedBy(2);
  });

  it('is divided as before when somebody has deleted all records', async () => {
    const started = [await member('a'), await member('b'), await member('c')];
    await Promise.all(started.map(({ limiter }) => limiter.use('fleet')));
    await sharedBy(3);
    let most = 0;
    const watching = started.map(({ limiter }) =>
      limiter.status$('fleet').subscribe(({ share }) => (most = Math.max(most, share))),
    );
    const raw = rawEtcd(server.endpoint);
    const before = await keysUnder(server.endpoint, `${NAMESPACE}/traffic/`);
    await raw.client.delete().prefix(`${NAMESPACE}/traffic/`).exec();
    raw.client.close();
    await waitFor(
      async () => {
        const now = await keysUnder(server.endpoint, `${NAMESPACE}/traffic/`);
        return now.length === 3 && now.every(({ key }) => before.some((old) => old.key === key));
      },
      { what: 'the three records' },
    );
    for (const watch of watching) watch.unsubscribe();
    expect(most).toBe(1 / 3);
    await sharedBy(3);
  });

  it('moves with a lease that was lost', async () => {
    const one = await member('a', { ttlSeconds: 2 });
    await one.limiter.use('fleet');
    const lease = one.session.lease!;
    one.session.reportGone(lease);
    const next = await waitFor(() => one.session.lease, { what: 'a new lease' });
    await waitFor(
      async () => {
        const [record] = await keysUnder(server.endpoint, `${NAMESPACE}/traffic/`);
        return record?.lease === next.id;
      },
      { what: 'the record on it' },
    );
    expect(one.limiter.status('fleet').share).toBe(1);
  });

  it('is turned live, everywhere, and only to what validates', async () => {
    const [first, second] = [await member('a'), await member('b')];
    await Promise.all([first, second].map(({ limiter }) => limiter.use('own')));
    const numbers = () => members.map(({ limiter }) => limiter.status('own').numbers);
    await first.store.set('traffic/limits/own', { limit: 20 }, { author: 'ada', reason: 'sale' });
    await waitFor(() => numbers().every(({ limit, burst }) => limit === 20 && burst === 20), {
      what: 'the new limit',
    });
    for (const wrong of [{ limit: 0 }, { limit: -5 }, { windowMs: 0 }, { limits: 7 }]) {
      await expect(first.store.set('traffic/limits/own', wrong)).rejects.toThrow();
    }
    const raw = rawEtcd(server.endpoint);
    const rejected = new Promise((resolve) => second.store.rejections$.subscribe(resolve));
    const [document] = await keysUnder(
      server.endpoint,
      `${NAMESPACE}/config/traffic%2Flimits%2Fown/live/`,
    );
    await raw.client.put(document!.key).value('{"limit": null, "windowMs": 0}').exec();
    raw.client.close();
    await rejected;
    expect(second.limiter.status('own').numbers).toEqual({ ...LIMITS['own'], ...numbers()[0] });
    await first.store.delete('traffic/limits/own');
    await waitFor(() => numbers().every(({ limit }) => limit === 10), { what: 'the declared one' });
  });

  it('goes on with its part when it is turned to the fleet, and as a whole when it is turned back', async () => {
    const [first, second] = [await member('a'), await member('b')];
    const limiters = [first.limiter, second.limiter];
    await Promise.all(limiters.map((limiter) => limiter.use('turned')));
    let least = 1;
    const watching = limiters.map((limiter) =>
      limiter.status$('turned').subscribe(({ share }) => (least = Math.min(least, share))),
    );
    const turn = (mode: string) =>
      first.store.set('traffic/limits/turned', { mode }, { author: 'ada', reason: 'sale' });
    const all = (share: number) =>
      waitFor(() => limiters.every((limiter) => limiter.status('turned').share === share), {
        what: `shares of ${share}`,
      });
    await turn('fleet');
    await all(0.5);
    expect(first.limiter.check('turned').remaining).toBeGreaterThan(400);
    await turn('instance');
    await all(1);
    expect(first.limiter.check('turned').remaining).toBeGreaterThan(400);
    expect(least).toBe(0.5);
    for (const watch of watching) watch.unsubscribe();
    await first.store.delete('traffic/limits/turned');
  });

  it('by key is divided, and never lent', async () => {
    const [first, second] = [await member('a'), await member('b')];
    await Promise.all([first, second].map(({ limiter }) => limiter.use('users')));
    await waitFor(() => first.limiter.status('users').members === 2, { what: 'both' });
    const admitted = (key: string) =>
      Array.from({ length: 200 }, () => first.limiter.check('users', { key })).filter(
        ({ allowed }) => allowed,
      ).length;
    expect(admitted('ada')).toBe(50);
    expect(admitted('bob')).toBe(50);
    expect(first.limiter.status('users').borrowed).toBe(0);
  });

  it('stands while etcd is away', async () => {
    const other = await start();
    const one = await LimitMember.start('a', other.endpoint, LIMITS);
    await one.limiter.use('fleet');
    await other.stop();
    await waitFor(() => one.session.state !== 'active', { what: 'etcd to be away' });
    const { limiter } = one;
    expect(limiter.status('fleet').share).toBe(1);
    await waitFor(() => limiter.check('fleet').allowed, { what: 'a call to go through' });
    await one.close();
  });
});
