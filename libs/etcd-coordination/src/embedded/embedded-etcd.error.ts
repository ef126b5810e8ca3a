import { EtcdCoordinationError } from '../client/coordination.error.js';

/** The embedded etcd was given an option that it cannot use. */
export class EmbeddedEtcdOptionError extends EtcdCoordinationError {
  constructor(message: string) {
    super('EMBEDDED_ETCD_OPTION', message);
  }
}

const REASONS: Record<string, string> = {
  EADDRINUSE:
    'another program listens there already. Stop it, give another port, or give port 0 for any free one.',
  EACCES: 'this user may not. Give a port from 1024 on, or port 0 for any free one.',
  EADDRNOTAVAIL: 'this machine has no such address. Give host 127.0.0.1, or leave it out.',
  ENOTFOUND: 'no address is known for that host. Give host 127.0.0.1, or leave it out.',
};

/** The embedded etcd cannot listen where it was told to. */
export class EmbeddedEtcdListenError extends EtcdCoordinationError {
  constructor(
    readonly host: string,
    readonly port: number,
    cause: unknown,
  ) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const reason = REASONS[code] ?? `${message}. Give another host or port.`;
    super(
      'EMBEDDED_ETCD_LISTEN',
      `The embedded etcd cannot listen on port ${port} of ${host}: ${reason}`,
      { cause },
    );
  }
}
