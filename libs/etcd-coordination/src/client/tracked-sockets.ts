import type { Socket } from 'node:net';
import type { ChannelCredentials } from '@grpc/grpc-js';

/**
 * Remembers the sockets that connect under `credentials`, and returns what destroys
 * those still open.
 *
 * grpc-js leaves a socket open whose TLS handshake is never answered, even when its
 * channel is closed, and that alone keeps a process alive.
 */
export function trackSockets(credentials: ChannelCredentials): () => void {
  const open = new Set<Socket>();
  let closed = false;
  const create = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...args) => {
    const connector = create(...args);
    const connect = connector.connect.bind(connector);
    connector.connect = (socket) => {
      // A subchannel whose last connection broke tries once more after its channel was closed.
      if (closed) socket.destroy();
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      return connect(socket);
    };
    return connector;
  };
  return () => {
    closed = true;
    for (const socket of open) socket.destroy();
  };
}
