import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

const CLIENT = 'net.client.socket';
const SERVER = 'net.server.socket';

/**
 * The connections of this process to itself, from both ends, so that it can be told whether something
 * is on its way: what the one end has written and the other has not read.
 */
export class LoopbackConnections {
  private readonly clients = new Set<Socket>();
  private readonly servers = new Set<Socket>();

  /** Begins to follow those that are made from now on. */
  open(): void {
    subscribe(CLIENT, this.client);
    subscribe(SERVER, this.server);
  }

  close(): void {
    unsubscribe(CLIENT, this.client);
    unsubscribe(SERVER, this.server);
    this.clients.clear();
    this.servers.clear();
  }

  /** How many bytes have moved so far, and whether some are on their way. */
  look(): { readonly moved: number; readonly underway: boolean } {
    const servers = new Map<string, Socket>();
    for (const socket of this.servers)
      servers.set(`${socket.remotePort}-${socket.localPort}`, socket);
    let moved = 0;
    let underway = false;
    for (const client of this.clients) {
      const server = servers.get(`${client.localPort}-${client.remotePort}`);
      // The other end is elsewhere, or about to accept it: a turn of the event loop tells.
      if (!server) continue;
      moved += client.bytesWritten + server.bytesWritten;
      underway ||=
        client.bytesWritten !== server.bytesRead || server.bytesWritten !== client.bytesRead;
    }
    return { moved: moved + this.clients.size + this.servers.size, underway };
  }

  private readonly client = (message: unknown) => this.track(this.clients, message);
  private readonly server = (message: unknown) => this.track(this.servers, message);

  private track(sockets: Set<Socket>, message: unknown): void {
    const { socket } = message as { socket: Socket };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }
}
