import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { HealthCheck } from '../../../libs/etcd-coordination/src/registry/health/health-check.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { ADDRESS, followRaw, Member, recordsOf, recordWhen } from './member.js';

const QUICK = { intervalMs: 100, timeoutMs: 50, failures: 2, passes: 2 };

describeAtOnce(await serversUnderTest(), 'the health that an instance tells', ({ start }) => {
  let server: ServerUnderTest;
  let member: Member;
  let round = 0;
  let service: string;

  beforeAll(async () => {
    server = await start();
    member = await Member.start('m-1', server.endpoint);
  });
  beforeEach(() => {
    service = `health-${(round += 1)}`;
  });
  afterEach(async () => {
    await Promise.all(member.registry.registrations.map((one) => one.deregister()));
    expect(await recordsOf(server.endpoint, service)).toEqual([]);
  });
  afterAll(async () => {
    await member?.close();
    await server?.stop();
  });

  const tells = (state: string, reason: RegExp | null) =>
    recordWhen(server.endpoint, service, `it to be ${state}`, (record) => {
      return (
        record.state === state && (reason?.test(record.reason ?? '') ?? record.reason === null)
      );
    });

  it.each<[string, HealthCheck, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no route');
      },
      /^"db" failed: no route$/,
    ],
    ['hangs', () => new Promise(() => undefined), /^"db" has not answered for \d+ ms$/],
    ['answers nonsense', () => 42, /^"db" answered 42, which says neither/],
    ['says no', () => ({ status: 'down', message: 'full' }), /^"db" said "down" \(full\)$/],
  ])('is down while a check %s, and the others go on', async (_, bad, why) => {
    const { events, stop } = await followRaw(server.endpoint, service);
    let check: HealthCheck = () => true;
    let others = 0;
    const health = { ...QUICK, checks: { db: () => check(), other: () => void (others += 1) } };
    const registration = await member.registry.register({
      name: service,
      address: ADDRESS,
      health,
    });
    await tells('up', null);
    check = bad;
    await tells('down', why);
    const before = others;
    await waitFor(() => others > before + 2, { what: 'the other check to go on' });
    expect(registration.state).toBe('down');
    await registration.deregister();
    await waitFor(() => events.at(-1)?.type === 'delete', { what: 'the end of it' });
    const told = events.map(({ type, state }) => state ?? type);
    expect(told[0] === 'starting' ? told.slice(1) : told).toEqual([
      ...['up', 'down', 'draining', 'delete'],
    ]);
    await stop();
  });

  it('is starting until its checks have passed for the first time', async () => {
    let answer: unknown = false;
    const health = { ...QUICK, checks: { db: () => answer } };
    const registration = await member.registry.register({
      name: service,
      address: ADDRESS,
      health,
    });
    expect(registration.registered).toBe(true);
    await tells('starting', /"db" answered false/);
    answer = true;
    await tells('up', null);
  });

  it('is down with a check that was added to the process, and up again without it', async () => {
    await member.registry.register({ name: service, address: ADDRESS, health: QUICK });
    const remove = member.registry.addHealthCheck('process', () => false);
    const again = () => member.registry.addHealthCheck('process', () => true);
    expect(again).toThrow(expect.objectContaining({ code: 'INVALID_REGISTRATION' }));
    await tells('down', /^"process" answered false$/);
    remove();
    await tells('up', null);
  });

  it('holds for all registrations of the process, each by its own numbers, with one run at a time', async () => {
    let under = 0;
    let most = 0;
    const remove = member.registry.addHealthCheck('slow', async () => {
      most = Math.max(most, (under += 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      under -= 1;
    });
    const registrations = await Promise.all(
      ['a', 'b', 'c'].map((id) =>
        member.registry.register({ name: service, id, address: ADDRESS, health: QUICK }),
      ),
    );
    await waitFor(() => registrations.every(({ state }) => state === 'up'), { what: 'all up' });
    expect(most).toBe(1);
    remove();
    await member.registry.drainAll();
    const records = await recordsOf(server.endpoint, service);
    expect(records.map(({ state }) => state)).toEqual(['draining', 'draining', 'draining']);
  });
});
