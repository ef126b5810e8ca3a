import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const HOST = '127.0.0.1';

/** Where an instance serves: whoever asks is told its id. */
export class PeerServer {
  private constructor(private readonly server: Server) {}

  /** At a port of its own. */
  static async start(id: string): Promise<PeerServer> {
    const server = createServer((_request, response) => response.end(id));
    server.listen(0, HOST);
    await once(server, 'listening');
    // What is still open when everything else has ended must not keep the process.
    server.unref();
    return new PeerServer(server);
  }

  get address(): string {
    return `http://${HOST}:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** What an instance is called by, and where. */
interface Peer {
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/**
 * Asks an instance for its id, over a connection of its own.
 *
 * @throws {WrongPeerError} if another one answers
 */
export function askPeer({ id, host, port }: Peer, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, signal, agent: false }, (response) => {
      let said = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (said += text));
      response.on('error', reject);
      response.on('end', () =>
        said === id ? resolve(said) : reject(new WrongPeerError(id, said)),
      );
    });
    request.on('error', reject);
  });
}

/** The port of one that is dead was given to another one. */
class WrongPeerError extends Error {
  readonly code = 'WRONG_PEER';

  constructor(asked: string, answered: string) {
    super(`${asked} was asked, and "${answered}" answered.`);
  }
}
