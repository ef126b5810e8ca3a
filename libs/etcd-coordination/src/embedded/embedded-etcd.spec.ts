import { type ServiceError, credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import { afterEach, describe, expect, test } from 'vitest';
import {
  EmbeddedEtcd,
  EmbeddedEtcdListenError,
  EmbeddedEtcdOptionError,
  type EmbeddedEtcdOptions,
} from './index.js';
import { etcdServices } from './grpc/proto.js';

const running: EmbeddedEtcd[] = [];

async function start(options: EmbeddedEtcdOptions = {}): Promise<EmbeddedEtcd> {
  const etcd = await EmbeddedEtcd.start({ logger: false, ...options });
  running.push(etcd);
  return etcd;
}

function recorder() {
  const logged: string[] = [];
  const warned: string[] = [];
  return {
    logged,
    warned,
    logger: { log: (text: string) => logged.push(text), warn: (text: string) => warned.push(text) },
  };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((etcd) => etcd.close()));
});

describe('EmbeddedEtcd', () => {
  test('answers an etcd3 client at its endpoint', async () => {
    const etcd = await start();
    expect(etcd.endpoint).toBe(`http://127.0.0.1:${etcd.port}`);
    const client = new Etcd3({ hosts: etcd.endpoint });
    await client.put('key').value('value');
    expect(await client.get('key').string()).toBe('value');
    client.close();
  });

  test('two servers know nothing of each other', async () => {
    const [one, two] = [await start(), await start()];
    const clients = [one, two].map(({ endpoint }) => new Etcd3({ hosts: endpoint }));
    await clients[0]!.put('key').value('value');
    expect(await clients[1]!.get('key')).toBeNull();
    for (const client of clients) client.close();
  });

  test('says in one sentence that it is not for production', async () => {
    const { logger, logged, warned } = recorder();
    const etcd = await start({ logger });
    expect(logged).toEqual([
      `An in-memory etcd for development and tests, not for production, listens on ${etcd.endpoint}; ` +
        'its data is gone when it stops.',
    ]);
    expect(warned).toEqual([]);
  });

  test('warns when others than this machine can reach it', async () => {
    const { logger, warned } = recorder();
    const etcd = await start({ host: '0.0.0.0', logger });
    expect(warned).toEqual([expect.stringContaining('0.0.0.0')]);
    const client = new Etcd3({ hosts: etcd.endpoint });
    const { members } = await client.cluster.memberList({});
    expect(members[0]!.clientURLs).toEqual([etcd.endpoint]);
    client.close();
  });

  test.each([-1, 1.5, 65_536, Number.NaN, '2379' as never])('refuses port %s', async (port) => {
    await expect(start({ port })).rejects.toThrow(EmbeddedEtcdOptionError);
    await expect(start({ port })).rejects.toThrow(`port ${port}`);
  });

  test.each(['', 'http://127.0.0.1', 'a b', 1 as never])('refuses host %j', async (host) => {
    await expect(start({ host })).rejects.toThrow(EmbeddedEtcdOptionError);
  });

  test('names a port in use, and the cure', async () => {
    const { port } = await start();
    const error = await start({ port }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EmbeddedEtcdListenError);
    expect(error).toMatchObject({ code: 'EMBEDDED_ETCD_LISTEN', host: '127.0.0.1', port });
    expect((error as Error).message).toMatch(
      new RegExp(`port ${port} of 127\\.0\\.0\\.1: another program listens there.*give port 0`),
    );
  });

  test('a port is free again once the server is closed', async () => {
    const { port, ...first } = await start();
    await running.pop()!.close();
    expect((await start({ port })).endpoint).toBe(first.endpoint);
  });

  test('tells open streams that it stops, and can be closed twice', async () => {
    const etcd = await start();
    const { Watch } = loadPackageDefinition({ Watch: etcdServices().Watch }) as never as {
      Watch: new (
        address: string,
        security: unknown,
      ) => {
        Watch(): NodeJS.ReadWriteStream & { write(request: object): boolean };
        close(): void;
      };
    };
    const client = new Watch(`127.0.0.1:${etcd.port}`, credentials.createInsecure());
    const stream = client.Watch();
    const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve as never));
    const created = new Promise((resolve) => stream.once('data', resolve));
    stream.write({ create_request: { key: Buffer.from('key') } } as never);
    await created;
    await Promise.all([etcd.close(), etcd.close()]);
    expect(await ended).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'etcdserver: server stopped',
    });
    client.close();
  });
});
