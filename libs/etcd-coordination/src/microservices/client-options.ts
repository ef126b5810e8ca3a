import type { TcpClientOptions } from '@nestjs/microservices';
import { nameFault, shownName } from '../client/name-fault.js';
import type { CallOptions } from '../discovery/call/call-options.js';
import { readCallOptions } from '../discovery/call/read-call-options.js';
import type { PoolSource } from '../discovery/call/service-fetch.js';
import { InvalidClientOptionError } from './microservices.errors.js';

/** What of the options of Nest's own TCP client a client of many instances takes: all but the address. */
type TcpClientSettings = Omit<Required<TcpClientOptions>['options'], 'host' | 'port'>;

/** How each message finds its instance; `signal` and `exclude` belong to a single call. */
export type MessageCallOptions = Omit<CallOptions, 'signal' | 'exclude'>;

/** The options of a `DiscoveredClient`. */
export interface DiscoveredClientOptions extends TcpClientSettings {
  /** The service whose instances get the messages: those that are registered with `tcp://`. */
  readonly service: string;
  /** The etcd connection whose registry is followed. Default `default`. */
  readonly connection?: string;
  /** Where its pool is had; left out, the application's own, as `DiscoveredClientsModule` finds it. */
  readonly discovery?: PoolSource;
  /** How each message is sent. `timeoutMs` is the time until the first answer. */
  readonly call?: MessageCallOptions;
  /** How long a connection may take to be made, in milliseconds. Default 3000. */
  readonly connectTimeoutMs?: number;
}

export const DEFAULT_CONNECT_TIMEOUT_MS = 3000;

/**
 * @throws {InvalidClientOptionError} naming what cannot be
 * @throws {InvalidDiscoveryOptionError} naming the option of a call that cannot be
 */
export function assertClientOptions(options: unknown): asserts options is DiscoveredClientOptions {
  const { service, call, connectTimeoutMs } = (options ?? {}) as Partial<DiscoveredClientOptions>;
  const fault = nameFault(service);
  if (fault !== null) {
    throw new InvalidClientOptionError(
      'service',
      `${shownName(service)} cannot name the service of a client: it ${fault}. Give the name that its instances are registered under, such as "inventory".`,
    );
  }
  if (connectTimeoutMs !== undefined && !(connectTimeoutMs > 0 && connectTimeoutMs < 2 ** 31)) {
    throw new InvalidClientOptionError(
      'connectTimeoutMs',
      `The option "connectTimeoutMs" of the client of "${service}" is ${String(connectTimeoutMs)}: give milliseconds above 0.`,
    );
  }
  readCallOptions(call);
}
