import type { LoggerService } from '@nestjs/common';
import type { MonotonicClock } from '../client/clock.js';
import { EmbeddedEtcdOptionError } from './embedded-etcd.error.js';

/** How an embedded etcd is started. */
export interface EmbeddedEtcdOptions {
  /** The TCP port to listen on; 0 takes any that is free. Default 0. */
  readonly port?: number;
  /** The address to listen on. Default `127.0.0.1`, which no other machine can reach. */
  readonly host?: string;
  /** Where the notice at start goes; `false` for nowhere. Default Nest's Logger. */
  readonly logger?: Pick<LoggerService, 'log' | 'warn'> | false;
  /** The time that leases live by. Default the machine's monotonic clock. */
  readonly clock?: MonotonicClock;
  /**
   * Milliseconds between the progress notices of a watch that asked for them;
   * etcd's `--experimental-watch-progress-notify-interval`. Default 600000.
   */
  readonly progressNotifyIntervalMs?: number;
}

const DEFAULT_HOST = '127.0.0.1';
const HOST = /^[A-Za-z0-9._:%-]+$/;

/** Where to listen, checked. @throws EmbeddedEtcdOptionError */
export function addressOf({ port = 0, host = DEFAULT_HOST }: EmbeddedEtcdOptions): {
  port: number;
  host: string;
} {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new EmbeddedEtcdOptionError(
      `The embedded etcd cannot listen on port ${String(port)}. ` +
        'Give a whole number from 1 to 65535, or 0 for any free port.',
    );
  }
  if (typeof host !== 'string' || !HOST.test(host)) {
    throw new EmbeddedEtcdOptionError(
      `The embedded etcd cannot listen on host ${JSON.stringify(host)}. ` +
        'Give an address or a host name alone, such as 127.0.0.1, without scheme or port.',
    );
  }
  return { port, host };
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Whether the address stands for every one that the machine has. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
