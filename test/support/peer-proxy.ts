import { TcpProxy, type ByteHook, type ProxiedConnection } from './tcp-proxy.js';

/** rafthttp writes who dials into the head of each request, as the member's id in hexadecimal. */
const DIALER = /X-Server-From: ([0-9a-f]+)/i;

/**
 * Stands before the peer address of one member. All members dial the same address, so a way between two of them
 * can be closed only by who dials: their requests say so. Needs peers without TLS.
 */
export class PeerProxy {
  private readonly dialers = new WeakMap<ProxiedConnection, string>();
  private readonly swallowing = new Set<ProxiedConnection>();
  private readonly outside = new Set<string>();
  private closedToAll = false;

  private constructor(private readonly proxy: TcpProxy) {
    proxy.onData(this.look);
  }

  /** @param target `host:port` that the member listens on for its peers */
  static async start(target: string): Promise<PeerProxy> {
    return new PeerProxy(await TcpProxy.start({ target }));
  }

  /** `http://127.0.0.1:port`, for `--initial-advertise-peer-urls`. */
  get url(): string {
    return this.proxy.url;
  }

  /** Nothing from, or back to, any peer that dials arrives any more; connections stay open, in silence. */
  shutAllOut(): void {
    this.closedToAll = true;
  }

  /**
   * Nothing from, or back to, this peer arrives any more.
   * @param id the member's id, decimal as a Status has it
   */
  shutOut(id: string): void {
    this.outside.add(BigInt(id).toString(16));
  }

  /** Everybody's data arrives again; connections of which some was swallowed are reset, and dialled anew. */
  pass(): void {
    this.closedToAll = false;
    this.outside.clear();
    for (const connection of this.swallowing) connection.reset();
    this.swallowing.clear();
  }

  close(): Promise<void> {
    return this.proxy.close();
  }

  private readonly look: ByteHook = (direction, data, connection) => {
    // A connection is used again for other requests, but always of the same peer.
    if (direction === 'to-server' && !this.dialers.has(connection)) {
      const [, dialer] = DIALER.exec(data.toString('latin1')) ?? [];
      if (dialer !== undefined) this.dialers.set(connection, dialer);
    }
    if (!this.closedToAll && !this.outside.has(this.dialers.get(connection) ?? '')) {
      // What has a hole in it is no stream any more.
      return this.swallowing.has(connection) ? null : data;
    }
    this.swallowing.add(connection);
    return null;
  };
}
