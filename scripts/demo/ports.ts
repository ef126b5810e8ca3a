import { createServer, type AddressInfo } from 'node:net';

const HOST = '127.0.0.1';

/** `preferred` if it is free here and not in `taken`, else a port that the system names. */
export async function freePort(preferred: number, taken: ReadonlySet<number>): Promise<number> {
  const stated = taken.has(preferred) ? null : await tryPort(preferred);
  const port = stated ?? (await tryPort(0));
  if (port === null || taken.has(port)) return freePort(0, taken);
  return port;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, HOST, () => {
      const { port: got } = server.address() as AddressInfo;
      server.close(() => resolve(got));
    });
  });
}
