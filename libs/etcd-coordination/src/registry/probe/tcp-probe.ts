import { connect } from 'node:net';
import { attemptProbe } from './probe-attempt.js';
import type { Probe } from './probe.js';

/** Passes if a connection can be made. */
export const tcpProbe: Probe = ({ host, port }, signal) =>
  attemptProbe(signal, ({ passed, broke }) => {
    const socket = connect({ host, port });
    socket.on('error', broke);
    socket.once('connect', passed);
    return () => socket.destroy();
  });
