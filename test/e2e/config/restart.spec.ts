import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { putKey } from '../../support/etcd-admin.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor, within } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';

const KEY = 'restart/config/prices/live/layer/shared';
const worker = new URL('./service.worker.ts', import.meta.url);
const servers = await serversUnderTest();

const OUTAGES = [
  ['refuses', (network: TcpProxy) => network.refuse()],
  ['swallows everything', async (network: TcpProxy) => network.blackhole()],
] as const;

describe.each(servers)(
  'a service that starts again while etcd is away, on $name',
  ({ name, start }) => {
    let server: ServerUnderTest;
    let network: TcpProxy;
    let file: string;
    const services: WorkerProcess[] = [];

    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.stop());
    beforeEach(async () => {
      network = await TcpProxy.start({ target: server.endpoint });
      file = join(tempFolder('restart'), 'config');
      await push(1);
    });
    afterEach(async () => {
      await Promise.all(services.splice(0).map((service) => service.kill()));
      await network.close();
    });

    const push = (perItem: number) => putKey(server.endpoint, KEY, JSON.stringify({ perItem }));

    async function service(key = ''): Promise<WorkerProcess> {
      const started = await WorkerProcess.start(worker, { args: [network.url, file, key] });
      services.push(started);
      return started;
    }

    async function closes(running: WorkerProcess): Promise<void> {
      running.send({ close: true });
      expect(await within(running.exit(), { timeoutMs: 60_000, what: 'the process to end' })).toBe(
        0,
      );
      expect(running.messages.some(({ type }) => type === 'closed')).toBe(true);
    }

    it.each(OUTAGES)(
      'serves the last good value, says so, and goes on when etcd is back: the network %s',
      async (_, outage) => {
        const first = await service();
        expect(await first.message('loaded')).toMatchObject({
          prices: { perItem: 1 },
          source: 'etcd',
        });
        await first.message('elected');
        await push(2);
        await first.message(({ perItem }) => perItem === 2);
        await waitFor(async () => (await readFile(file, 'utf8')).includes('perItem\\":2'), {
          what: 'the snapshot to be written',
        });
        await first.kill();
        await outage(network);
        // Unseen by anybody.
        await push(3);

        const second = await service();
        expect(await second.message('loaded')).toMatchObject({
          prices: { perItem: 2 },
          source: 'snapshot',
        });
        await second.message('started');
        expect(second.output()).toMatch(
          /configuration comes from the snapshot .*, written at 2.*nothing leads until etcd is back/,
        );
        expect(second.output()).toMatch(/"prices" is read from the snapshot of 2/);
        expect(second.output()).toMatch(/without standing in the election "pricing".*etcd is away/);
        const types = second.messages.map(({ type }) => type);
        expect(types).toEqual(['loaded', 'told', 'started']);

        await network.pass();
        const change = await second.message(({ perItem }) => perItem === 3);
        expect(change).toMatchObject({ previous: 2, source: 'etcd' });
        await second.message('elected');
        // What is the same as before is no change.
        expect(second.messages.filter(({ type }) => type === 'told')).toHaveLength(2);
        await closes(second);
      },
      60_000,
    );

    // What it does then it does without etcd: a server of each kind will do.
    it.runIf(name === servers[0]!.name || name === 'the embedded server')(
      'ends by itself when it is closed while etcd is away, whichever way it started',
      async () => {
        const first = await service();
        await first.message('elected');
        await waitFor(() => readFile(file), { what: 'the snapshot' });
        network.blackhole();
        await closes(first);

        await network.refuse();
        const second = await service();
        await second.message('started');
        await closes(second);

        // Neither has lost what the next one starts from.
        const third = await service();
        expect(await third.message('loaded')).toMatchObject({ prices: { perItem: 1 } });
      },
      150_000,
    );

    // What is in the file is nobody's business but the library's: one server will do.
    it.runIf(name === 'the embedded server')(
      'starts from an encrypted snapshot with its key, and not with another one',
      async () => {
        const key = randomBytes(32).toString('hex');
        const first = await service(key);
        await first.message('started');
        await closes(first);
        expect((await readFile(file)).includes('perItem')).toBe(false);
        await network.refuse();

        const second = await service(key);
        expect(await second.message('loaded')).toMatchObject({ source: 'snapshot' });
        await second.kill();
        const stranger = await service(randomBytes(32).toString('hex'));
        const code = await within(stranger.exit(), {
          timeoutMs: 30_000,
          what: () => `the start to fail. Its output:\n${stranger.output()}`,
        });
        expect(code).not.toBe(0);
        expect(stranger.output()).toMatch(
          /could not be made.*refused.*snapshot would have let the application start all the same.*key/s,
        );
      },
      90_000,
    );
  },
);
