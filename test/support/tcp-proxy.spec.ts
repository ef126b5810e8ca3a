import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait-for.js';

describe('a TCP proxy in front of an echo', () => {
  let echo: Server;
  let proxy: TcpProxy;
  let client: Socket;
  let heard: string;

  const dial = () => {
    const socket = connect(proxy.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => (heard += data.toString()));
    return socket;
  };
  const hears = (text: string) =>
    waitFor(() => heard === text, { what: () => `"${text}" (${heard})` });

  beforeEach(async () => {
    heard = '';
    echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as { port: number };
    proxy = await TcpProxy.start({ target: `127.0.0.1:${port}` });
    client = dial();
  });
  afterEach(async () => {
    client.destroy();
    await proxy.close();
    echo.close();
  });

  it('passes, and counts', async () => {
    client.write('one');
    await hears('one');
    expect(proxy.connectionsOpened).toBe(1);
    expect(proxy.connectionsOpen).toBe(1);
    expect(proxy.bytes('to-server')).toBe(3);
    expect(proxy.bytes('to-client')).toBe(3);
  });

  it.each(['both', 'to-server', 'to-client'] as const)(
    'holds back %s, and delivers in order once it heals',
    async (way) => {
      client.write('one');
      await hears('one');
      proxy.blackhole(way);
      client.write('-two');
      if (way === 'to-client') {
        await waitFor(() => proxy.bytes('to-server') === 7, { what: 'the server to be told' });
      }
      client.write('-three');
      expect(heard).toBe('one');
      await proxy.pass();
      await hears('one-two-three');
    },
  );

  it('delays without changing the order', async () => {
    proxy.delay(50);
    const started = performance.now();
    for (const piece of ['a', 'b', 'c']) client.write(piece);
    await hears('abc');
    expect(performance.now() - started).toBeGreaterThanOrEqual(99);
  });

  it('shows each piece to a hook, which may change or swallow it', async () => {
    proxy.onData((direction, data) =>
      direction === 'to-server' ? Buffer.from(data.toString().toUpperCase()) : data,
    );
    client.write('loud');
    await hears('LOUD');
    proxy.onData((direction, data) => (direction === 'to-client' ? null : data));
    client.write('lost');
    await waitFor(() => proxy.bytes('to-server') === 8, { what: 'the server to be told' });
    proxy.onData(null);
    client.write('!');
    await hears('LOUD!');
  });

  it('resets, drops, refuses, and lets in again', async () => {
    client.write('one');
    await hears('one');
    proxy.reset();
    await waitFor(() => client.closed, { what: 'the reset' });
    const second = dial();
    second.write('-two');
    await hears('one-two');
    proxy.dropConnections();
    await waitFor(() => second.closed, { what: 'the end' });
    await proxy.refuse();
    const third = dial();
    const [error] = (await once(third, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    await proxy.pass();
    client = dial();
    client.write('-four');
    await hears('one-two-four');
  });
});
