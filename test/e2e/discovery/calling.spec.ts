import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { runOwning } from '../../../libs/etcd-coordination/src/context/ownership-context.js';
import { CallTimeoutError } from '../../../libs/etcd-coordination/src/discovery/call/call.errors.js';
import {
  type ServiceFetchInit,
  serviceFetch,
} from '../../../libs/etcd-coordination/src/discovery/call/service-fetch.js';
import { NoInstanceError } from '../../../libs/etcd-coordination/src/discovery/discovery.errors.js';
import { decodeFences } from '../../../libs/etcd-coordination/src/fencing/fence-codec.js';
import type { ServiceInstance } from '../../../libs/etcd-coordination/src/registry/service-instance.js';
import { failureOf } from '../../support/failure-of.js';
import { FakeServicePool } from '../../support/fake-service-pool.js';
import { fenceOf } from '../../support/fences.js';
import { freePort } from '../../support/free-port.js';
import { serviceInstance } from '../../support/service-instances.js';
import { waitFor } from '../../support/wait-for.js';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A server of HTTP that notes what it was asked. */
class HttpInstance {
  readonly asked: string[] = [];
  readonly sockets = new Set<Socket>();
  private constructor(
    readonly server: Server,
    readonly instance: ServiceInstance,
  ) {}

  static async start(id: string, handler: Handler): Promise<HttpInstance> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const made = new HttpInstance(server, at(id, port));
    server.on('connection', (socket: Socket) => {
      made.sockets.add(socket);
      socket.on('close', () => made.sockets.delete(socket));
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      made.asked.push(`${request.method} ${request.url}`);
      void handler(request, response);
    });
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return made;
  }
}

function at(id: string, port: number, protocol: 'http' | 'tcp' = 'http'): ServiceInstance {
  const host = '127.0.0.1';
  return serviceInstance(id, {
    protocol,
    host,
    port,
    address: `${protocol}://${host}:${port}`,
  });
}

const answers =
  (status: number, body = ''): Handler =>
  (request, response) => {
    request.resume();
    response.writeHead(status).end(body);
  };

const echoes: Handler = async (request, response) => {
  const { method, url, headers } = request;
  response.end(JSON.stringify({ method, url, headers, body: await text(request) }));
};

/** Takes the request, and breaks the connection. */
const resets: Handler = async (request) => {
  await text(request);
  (request.socket as Socket & { resetAndDestroy(): void }).resetAndDestroy();
};

const hangs: Handler = () => undefined;

async function refusing(id: string): Promise<ServiceInstance> {
  return at(id, await freePort());
}

function fetching(pool: FakeServicePool) {
  const fetch = serviceFetch({
    pool: (service) => {
      expect(service).toBe('stock');
      return pool;
    },
  });
  return (path: string, init?: ServiceFetchInit) => fetch(`service://stock${path}`, init);
}

function poolOf(...instances: readonly ServiceInstance[]): FakeServicePool {
  return new FakeServicePool('stock', instances);
}

interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

describe('fetch by the name of a service', () => {
  it('asks an instance the same: method, path, query, headers and body', async () => {
    const { instance } = await HttpInstance.start('a', echoes);
    const pool = poolOf(instance);
    const response = await fetching(pool)('/items//1?limit=10&x=%20y', {
      method: 'PATCH',
      headers: { 'x-own': 'yes' },
      body: 'abc',
    });
    expect(await response.json()).toMatchObject({
      method: 'PATCH',
      url: '/items//1?limit=10&x=%20y',
      headers: { 'x-own': 'yes', host: `127.0.0.1:${instance.port}` },
      body: 'abc',
    });
    expect(pool.ends).toEqual(['a succeeded']);
  });

  it('takes a URL, and a Request with its body', async () => {
    const { instance } = await HttpInstance.start('a', echoes);
    const fetch = serviceFetch({ pool: () => poolOf(instance) });
    const byUrl = (await (await fetch(new URL('service://stock'))).json()) as Echo;
    expect(byUrl).toMatchObject({ method: 'GET', url: '/' });
    const headers = { 'x-own': 'yes' };
    const request = new Request('service://stock/x', { method: 'POST', body: 'abc', headers });
    const byRequest = (await (await fetch(request)).json()) as Echo;
    expect(byRequest).toMatchObject({ method: 'POST', url: '/x', body: 'abc' });
    expect(byRequest.headers['x-own']).toBe('yes');
  });

  it('never leaves the instance, whatever the path looks like', async () => {
    const { instance } = await HttpInstance.start('a', echoes);
    const response = await fetching(poolOf(instance))('//example.com/x');
    expect(await response.json()).toMatchObject({ url: '//example.com/x' });
  });

  it('carries the fences of the running call chain', async () => {
    const { instance } = await HttpInstance.start('a', echoes);
    const fence = fenceOf('sku/1', 7);
    const response = await runOwning('lock', {}, fence, () => fetching(poolOf(instance))('/x'));
    const { headers } = (await response.json()) as Echo;
    expect(decodeFences(headers['etcd-fence']!)).toMatchObject([{ token: fence.token }]);
  });

  it.each([
    ['http://stock/x', 'not with "service:"'],
    ['stock/x', 'no URL'],
    ['service:///x', 'is empty'],
    ['service://stock:80/x', 'leave it out'],
    ['service://me:secret@stock/x', 'no place in it'],
    ['http://me:secret@stock/x', 'not with "service:"'],
    ['http://me:secret@st ock/x', 'no URL'],
    ['service://%ff/x', 'not encoded'],
  ])('refuses the address %s', async (url, why) => {
    const fetch = serviceFetch({ pool: () => poolOf() });
    const refused = fetch(url);
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_SERVICE_URL' });
    await expect(refused).rejects.toThrow(why);
    await expect(refused).rejects.not.toThrow('secret');
  });

  it('passes over instances that speak something else, and says so if there are no others', async () => {
    const { instance } = await HttpInstance.start('b', answers(200));
    const pool = poolOf(at('a', 1, 'tcp'), instance);
    for (let i = 0; i < 3; i++) expect((await fetching(pool)('/')).status).toBe(200);
    expect(pool.ends).toEqual(Array(3).fill('b succeeded'));
    const none = fetching(poolOf(at('a', 1, 'tcp')))('/');
    await expect(none).rejects.toThrow(NoInstanceError);
    await expect(none).rejects.toThrow('speak tcp, and http or https is needed');
  });
});

describe('a fetch of an instance that fails', () => {
  it('is made at another one if the first refuses, also a POST with its body', async () => {
    const { instance } = await HttpInstance.start('b', echoes);
    const pool = poolOf(await refusing('a'), instance);
    const response = await fetching(pool)('/', { method: 'POST', body: 'abc' });
    expect(await response.json()).toMatchObject({ body: 'abc' });
    expect(pool.ends).toEqual(['a failed', 'b succeeded']);
  });

  it('is made again after a reset if it is a GET, and sends a POST once only', async () => {
    const a = await HttpInstance.start('a', resets);
    const b = await HttpInstance.start('b', answers(200));
    const pool = poolOf(a.instance, b.instance);
    expect((await fetching(pool)('/')).status).toBe(200);
    expect(pool.ends).toEqual(['a failed', 'b succeeded']);

    const posted = poolOf(a.instance, b.instance);
    const post = fetching(posted)('/', { method: 'POST', body: 'abc' });
    await expect(post).rejects.toThrow('fetch failed');
    expect(posted.ends).toEqual(['a failed']);
    expect([...a.asked, ...b.asked].filter((asked) => asked === 'POST /')).toHaveLength(1);
  });

  it.each([
    ['an Idempotency-Key', { headers: { 'Idempotency-Key': '1' } }],
    ['a word that it is idempotent', { idempotent: true }],
  ])('repeats a POST with %s', async (_, some) => {
    const a = await HttpInstance.start('a', resets);
    const b = await HttpInstance.start('b', answers(201));
    const fetch = fetching(poolOf(a.instance, b.instance));
    const response = await fetch('/', { method: 'POST', body: 'abc', ...some });
    expect(response.status).toBe(201);
  });

  it('repeats no GET that is said not to be idempotent', async () => {
    const a = await HttpInstance.start('a', resets);
    const b = await HttpInstance.start('b', answers(200));
    const fetch = fetching(poolOf(a.instance, b.instance));
    await expect(fetch('/', { idempotent: false })).rejects.toThrow('fetch failed');
    expect(b.asked).toEqual([]);
  });

  it('follows a redirect of what may be repeated, and of nothing else: it has been done by then', async () => {
    const elsewhere = await HttpInstance.start('elsewhere', answers(200, 'there'));
    const redirects: Handler = (request, response) => {
      request.resume();
      response.writeHead(303, { location: `${elsewhere.instance.address}/done` }).end();
    };
    const a = await HttpInstance.start('a', redirects);
    const fetch = fetching(poolOf(a.instance));
    expect(await (await fetch('/')).text()).toBe('there');
    const posted = await fetch('/', { method: 'POST', body: 'abc' });
    expect([posted.status, posted.headers.get('location')]).toEqual([
      303,
      `${elsewhere.instance.address}/done`,
    ]);
    const request = new Request('service://stock/', { method: 'POST', body: 'abc' });
    const whole = serviceFetch({ pool: () => poolOf(a.instance) });
    expect((await whole(request)).status).toBe(303);
    for (const some of [{ redirect: 'follow' }, { idempotent: true }] as const) {
      const followed = await fetch('/', { method: 'POST', body: 'abc', ...some });
      expect(await followed.text()).toBe('there');
    }
  });

  it('sends a stream once only', async () => {
    const { instance } = await HttpInstance.start('b', echoes);
    const stream = () => new Blob(['abc']).stream() as unknown as ReadableStream;
    const put = (pool: FakeServicePool) => fetching(pool)('/', { method: 'PUT', body: stream() });
    const pool = poolOf(await refusing('a'), instance);
    await expect(put(pool)).rejects.toThrow('fetch failed');
    expect(pool.ends).toEqual(['a failed']);
    expect(await (await put(poolOf(instance))).json()).toMatchObject({ body: 'abc' });
  });

  it('does not wait for one that hangs', async () => {
    const a = await HttpInstance.start('a', hangs);
    const b = await HttpInstance.start('b', answers(200));
    const pool = poolOf(a.instance, b.instance);
    expect((await fetching(pool)('/', { timeoutMs: 300 })).status).toBe(200);
    await waitFor(() => a.sockets.size === 0, { what: 'the connection that hung to be closed' });
    const post = fetching(poolOf(a.instance, b.instance))('/', { method: 'POST', timeoutMs: 100 });
    await expect(post).rejects.toThrow(CallTimeoutError);
  });

  it('asks another one after 503, and returns the last answer there is', async () => {
    const a = await HttpInstance.start('a', answers(503, 'a'.repeat(1_000_000)));
    const b = await HttpInstance.start('b', answers(200, 'good'));
    const pool = poolOf(a.instance, b.instance);
    expect(await (await fetching(pool)('/')).text()).toBe('good');
    expect(pool.ends).toEqual(['a failed', 'b succeeded']);

    const alone = poolOf(a.instance);
    const last = await fetching(alone)('/');
    expect(last.status).toBe(503);
    expect((await last.text()).length).toBe(1_000_000);
    expect(alone.ends).toEqual(['a failed', 'a failed', 'a failed']);
  });

  it('returns the 503 of a POST, and makes no other one', async () => {
    const a = await HttpInstance.start('a', answers(503));
    const pool = poolOf(a.instance, (await HttpInstance.start('b', answers(200))).instance);
    expect((await fetching(pool)('/', { method: 'POST' })).status).toBe(503);
    expect(pool.ends).toEqual(['a failed']);
  });

  it('leaves 500 and 404 to the caller, as no fault of the instance', async () => {
    const a = await HttpInstance.start('a', answers(500));
    const pool = poolOf(a.instance);
    expect((await fetching(pool)('/')).status).toBe(500);
    expect(pool.ends).toEqual(['a succeeded']);
  });
});

describe('a fetch that its caller gives up', () => {
  it('ends at once, before the head of the answer', async () => {
    const a = await HttpInstance.start('a', hangs);
    const controller = new AbortController();
    const pool = poolOf(a.instance);
    const asked = fetching(pool)('/', { signal: controller.signal });
    const failed = failureOf(asked);
    await waitFor(() => a.asked.length === 1, { what: 'the request' });
    controller.abort(new Error('enough'));
    expect(await failed).toMatchObject({ message: 'enough' });
    expect(pool.ends).toEqual(['a abandoned']);
    await waitFor(() => a.sockets.size === 0, { what: 'the connection to be closed' });
  });

  it('ends while its answer is read, and so it does when a lock is lost', async () => {
    const begins: Handler = (_, response) => response.writeHead(200).write('begun');
    const a = await HttpInstance.start('a', begins);
    const caller = new AbortController();
    const lock = new AbortController();
    const fetch = fetching(poolOf(a.instance));
    const first = await fetch('/', { signal: caller.signal });
    const second = await runOwning('lock', lock, fenceOf('x', 1), () => fetch('/'));
    const reading = [first, second].map((response) =>
      expect(response.text()).rejects.toThrow('enough'),
    );
    caller.abort(new Error('enough'));
    lock.abort(new Error('enough'));
    await Promise.all(reading);
    await waitFor(() => a.sockets.size === 0, { what: 'the connections to be closed' });
  });
});

describe('an instance that is drained under a load of requests', () => {
  it('costs none of them', async () => {
    const slow: Handler = (request, response) => {
      request.resume();
      setTimeout(() => response.end('done'), 5);
    };
    const instances = await Promise.all(['a', 'b', 'c'].map((id) => HttpInstance.start(id, slow)));
    const pool = poolOf(...instances.map(({ instance }) => instance));
    const fetch = fetching(pool);
    const failures: unknown[] = [];
    const load = { isOver: false };
    let done = 0;
    const workers = Array.from({ length: 8 }, async () => {
      while (!load.isOver) {
        try {
          const response = await fetch('/', { method: 'POST', body: 'x', attempts: 1 });
          if ((await response.text()) === 'done') done += 1;
        } catch (error) {
          failures.push(error);
        }
      }
    });
    const rounds = (more: number) => {
      const until = done + more;
      return waitFor(() => done >= until, { what: 'requests' });
    };
    await rounds(50);
    for (const drained of instances.slice(1)) {
      const others = pool.instances().filter((one) => one.id !== drained.instance.id);
      pool.show([...others, { ...drained.instance, state: 'draining' }]);
      // As one that drains waits for what it was sent already.
      const { id } = drained.instance;
      await waitFor(() => !pool.inFlight.includes(id), { what: `the last request of ${id}` });
      await new Promise<void>((resolve) => {
        drained.server.close(() => resolve());
        drained.server.closeIdleConnections();
      });
      pool.show(others);
      await rounds(50);
    }
    load.isOver = true;
    await Promise.all(workers);
    expect(failures).toEqual([]);
    expect(pool.inFlight).toEqual([]);
  });
});

describe('a port that takes connections and never answers', () => {
  it('is left after the time of an attempt', async () => {
    const server = createTcpServer((socket) => closers.push(() => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const silent = at('a', (server.address() as AddressInfo).port);
    const b = await HttpInstance.start('b', answers(200));
    const response = await fetching(poolOf(silent, b.instance))('/', { timeoutMs: 200 });
    expect(response.status).toBe(200);
  });
});
