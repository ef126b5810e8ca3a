import { createServer } from 'node:net';

// Below the range from which the kernel takes the ports of outgoing connections: one of those could
// take a port between the moment it was found free and the moment a server is started on it.
const LOWEST = 10_000;
const COUNT = 20_000;

/** Free, and yet no use: `fetch` refuses to call it (the bad ports of its standard), whoever listens there. */
const REFUSED_BY_FETCH = 10_080;

/** Where this process goes on looking; processes beside it begin elsewhere, or they would race. */
let next = (process.pid * 211) % COUNT;

/** Ports of 127.0.0.1 that nobody listens on just now; all different, and not given before by this process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = LOWEST + next;
    next = (next + 1) % COUNT;
    if (port !== REFUSED_BY_FETCH && (await isFree(port))) ports.push(port);
  }
  return ports;
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
