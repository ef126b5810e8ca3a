import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  instanceKey,
  registryPrefix,
  verdictKey,
} from '../../../libs/etcd-coordination/src/client/keys.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { compact, deleteKey, keysUnder, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Consumer, ListLog, NAMESPACE, putFleet, putInstance, putVerdict } from './consumers.js';

const servers = await serversUnderTest();
const lines = await availableEtcdLines();

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `i${String(index).padStart(3, '0')}`);
}

describeAtOnce(servers, 'discovery', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let consumer: Consumer;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
    consumer = await Consumer.start(network.url);
  });
  afterEach(() => network.pass());
  afterAll(async () => {
    await consumer?.close();
    await network?.close();
    await server?.stop();
  });

  const register = (service: string, id: string, some?: object) =>
    putInstance(server.endpoint, service, id, some);
  const remove = (service: string, id: string) =>
    deleteKey(server.endpoint, instanceKey(NAMESPACE, service, id));

  it('shows instances as they come, change and go', async () => {
    const { discovery } = consumer;
    const pool = discovery.pool('life');
    expect(pool.isReady).toBe(false);
    expect(() => pool.choose()).toThrow(/its list is not here yet/);
    await pool.ready();
    expect(() => pool.choose()).toThrow('no instance that is registered');
    await register('life', 'a', { state: 'starting', zone: 'z', weight: 2 });
    await consumer.waitForIds('life', ['a']);
    expect(pool.instances()[0]).toMatchObject({ state: 'starting', zone: 'z', weight: 2 });
    expect(() => pool.choose()).toThrow('1 starting');
    await register('life', 'a');
    await waitFor(() => pool.choose().id === 'a', { what: 'it to be up' });
    await register('life', 'b');
    await consumer.waitForIds('life', ['a', 'b']);
    await remove('life', 'a');
    await consumer.waitForIds('life', ['b']);
    expect(pool.ageMs()).toBeLessThan(60_000);
    expect(discovery.services()).toContain('life');
  });

  it('takes the worst word, and says whose it is', async () => {
    await register('words', 'a');
    await consumer.discovery.ready('words');
    await consumer.waitForIds('words', ['a']);
    const down = { state: 'down', by: 'prober-1', reason: 'connection refused' };
    await putVerdict(server.endpoint, 'words', 'a', 'probe', down);
    const found = () => consumer.discovery.instances('words')[0]!;
    await waitFor(() => found().state === 'down', { what: 'the word of the prober' });
    expect(found().words).toEqual([
      { state: 'up', source: 'instance', by: '', reason: null },
      { source: 'probe', ...down },
    ]);
    await deleteKey(server.endpoint, verdictKey(NAMESPACE, 'words', 'a', 'probe'));
    await waitFor(() => found().state === 'up', { what: 'it to be well again' });
  });

  it('leaves out what is no record, and nothing else', async () => {
    await register('garbage', 'good');
    const prefix = registryPrefix(NAMESPACE, 'garbage');
    const garbage = { 'instance/text': 'nonsense', 'instance/null': 'null', else: '1' };
    for (const [rest, value] of Object.entries(garbage)) {
      await putKey(server.endpoint, prefix + rest, value);
    }
    await putKey(server.endpoint, `${prefix}verdict/good/mark`, '{"state":"odd"}');
    await putKey(server.endpoint, `${prefix}verdict/nobody/mark`, '{"state":"down"}');
    await consumer.discovery.ready('garbage');
    await consumer.waitForIds('garbage', ['good']);
    expect(consumer.discovery.choose('garbage').state).toBe('up');
    await register('garbage', 'text');
    await consumer.waitForIds('garbage', ['good', 'text']);
    await putKey(server.endpoint, `${prefix}instance/text`, '[]');
    await consumer.waitForIds('garbage', ['good']);
  });

  it('keeps the list through an outage, and is right after it, though history was compacted', async () => {
    for (const id of ['a', 'b', 'c']) await register('outage', id);
    await consumer.discovery.ready('outage');
    const log = new ListLog(consumer, 'outage');
    await consumer.waitForIds('outage', ['a', 'b', 'c']);
    await network.refuse();
    await remove('outage', 'a');
    await register('outage', 'd');
    await compact(server.endpoint);
    expect(consumer.discovery.choose('outage')).toBeDefined();
    await network.pass();
    await consumer.waitForIds('outage', ['b', 'c', 'd']);
    expect(Math.min(...log.sizes)).toBe(3);
  });

  it('keeps a list of which 500 expire at once, until they are back', async () => {
    const fleet = ids(500);
    const consumerOf500 = await Consumer.start(server.endpoint);
    // Long enough for all to be put, and listed, before the first of them expires.
    await putFleet(server.endpoint, 'mass', fleet, 12);
    await consumerOf500.discovery.ready('mass');
    await consumerOf500.waitForIds('mass', fleet);
    const log = new ListLog(consumerOf500, 'mass');
    const kept = () =>
      consumerOf500.discovery.instances('mass').filter(({ isProtected }) => isProtected).length;
    await waitFor(() => kept() === 500, {
      what: () => `500 to be protected, not ${kept()}`,
      timeoutMs: 40_000,
    });
    expect(Math.min(...log.sizes)).toBeGreaterThanOrEqual(250);
    const prefix = registryPrefix(NAMESPACE, 'mass');
    expect(await keysUnder(server.endpoint, prefix)).toHaveLength(0);
    expect(consumerOf500.discovery.choose('mass').isProtected).toBe(true);
    await putFleet(server.endpoint, 'mass', ['i007'], 60);
    await waitFor(() => kept() === 499, { what: 'one to be back' });
    // All get calls, or that one would drown; what fails at a protected one goes on to it.
    const asked = new Set<string>();
    for (let call = 0; call < 20; call += 1) {
      const answer = consumerOf500.discovery.call(
        'mass',
        async ({ id, isProtected }) => {
          asked.add(id);
          if (isProtected) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
          return id;
        },
        { attempts: 2 },
      );
      expect(await answer).toBe('i007');
    }
    expect(asked.size).toBeGreaterThan(10);
    expect(consumerOf500.discovery.statuses()).toMatchObject([{ ejected: asked.size - 1 }]);
    await consumerOf500.close();
  }, 90_000);

  it('never shows those as gone that went in an outage, all at once', async () => {
    const fleet = ids(20);
    await putFleet(server.endpoint, 'resync', fleet, 600);
    await consumer.discovery.ready('resync');
    const log = new ListLog(consumer, 'resync');
    await consumer.waitForIds('resync', fleet);
    await network.refuse();
    for (const id of fleet) await remove('resync', id);
    await compact(server.endpoint);
    await network.pass();
    await waitFor(() => consumer.discovery.instances('resync').every((one) => one.isProtected), {
      what: 'the list to be protected',
    });
    expect(Math.min(...log.sizes)).toBe(20);
  });

  it('forgets an instance whose process was killed', async () => {
    const args = [server.endpoint, NAMESPACE, 'killed', 'worker', '1'];
    const worker = await WorkerProcess.start(new URL('./registering.worker.ts', import.meta.url), {
      args,
    });
    const { ttlMs } = await worker.message('registered');
    await consumer.discovery.ready('killed');
    await consumer.waitForIds('killed', ['worker']);
    const killedAt = performance.now();
    await worker.kill();
    await consumer.waitForIds('killed', []);
    const took = Math.round(performance.now() - killedAt);
    console.log(`gone ${took} ms after the kill, of a TTL of ${String(ttlMs)} ms`);
  });

  it('starts without etcd from the lists that an earlier run has kept', async () => {
    const file = join(tempFolder('snapshot'), 'instances');
    for (const id of ['a', 'b']) await register('saved', id, { zone: id });
    await putVerdict(server.endpoint, 'saved', 'b', 'mark', { state: 'down', by: 'me' });
    const before = await Consumer.start(network.url, { snapshot: { file } });
    await before.discovery.ready('saved');
    await before.waitForIds('saved', ['a', 'b']);
    await before.close();
    expect(await readFile(file, 'utf8')).toContain('saved');
    const after = await Consumer.start(network.url, { snapshot: { file } });
    await network.refuse();
    network.reset();
    await after.discovery.ready('saved');
    expect(after.discovery.pool('saved').ageMs()).toBe(Infinity);
    expect(after.discovery.instances('saved').map(({ id, state }) => [id, state])).toEqual([
      ['a', 'up'],
      ['b', 'down'],
    ]);
    await remove('saved', 'a');
    await network.pass();
    await after.waitForIds('saved', ['b']);
    expect(after.discovery.pool('saved').ageMs()).toBeLessThan(60_000);
    await after.close();
  });

  it('passes over a snapshot that is none, and leaves the file as it is', async () => {
    const file = join(tempFolder('snapshot'), 'instances');
    await writeFile(file, 'a diary');
    await register('foreign', 'a');
    const reader = await Consumer.start(server.endpoint, { snapshot: { file } });
    await reader.discovery.ready('foreign');
    await reader.waitForIds('foreign', ['a']);
    await reader.close();
    expect(await readFile(file, 'utf8')).toBe('a diary');
  });

  it('ends when it is closed, and can still be read', async () => {
    await register('closing', 'a');
    const closing = await Consumer.start(server.endpoint);
    const log = new ListLog(closing, 'closing');
    await closing.waitForIds('closing', ['a']);
    await closing.close();
    expect(log.isComplete).toBe(true);
    expect(closing.discovery.choose('closing').id).toBe('a');
    await expect(closing.discovery.ready('another')).rejects.toMatchObject({
      code: 'CLIENT_CLOSED',
    });
  });
});

describeAtOnce(lines, 'discovery when etcd itself goes', (line) => {
  it('is never empty, and right again after', async () => {
    const server = await EtcdServer.start({ line });
    const consumer = await Consumer.start(server.endpoint);
    await putFleet(server.endpoint, 'stock', ids(10), 600);
    await consumer.discovery.ready('stock');
    const log = new ListLog(consumer, 'stock');
    await consumer.waitForIds('stock', ids(10));
    await server.kill();
    expect(consumer.discovery.choose('stock')).toBeDefined();
    await server.restart();
    await putInstance(server.endpoint, 'stock', 'new');
    await consumer.waitForIds('stock', [...ids(10), 'new']);
    expect(Math.min(...log.sizes)).toBe(10);
    await consumer.close();
    await server.kill();
  });
});
