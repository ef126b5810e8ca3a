import { type Abstract, Inject, type InjectionToken, type Type } from '@nestjs/common';
import type { Etcd3 } from 'etcd3';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import { importAdvice } from '../nest/connection-symbols.js';
import type { CoordinationConnection } from './coordination-connection.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import type { Probing } from './probing.js';

type Service<T> = Type<T> | Abstract<T>;

const tokens = new Map<string, Map<unknown, symbol>>();

/**
 * The token under which a connection's service is provided: for the default connection the class
 * itself. For `inject` lists, `moduleRef.get()` and `overrideProvider()`.
 */
export function getCoordinationToken<T>(
  service: Service<T>,
  connection: string = DEFAULT_CONNECTION,
): InjectionToken<T> {
  if (connection === DEFAULT_CONNECTION) return service;
  return namedToken(service, service.name, connection);
}

/** The token under which a connection's raw `Etcd3` is provided. */
export function getEtcdToken(connection: string = DEFAULT_CONNECTION): InjectionToken<Etcd3> {
  return namedToken('etcd', 'Etcd3', connection);
}

/**
 * Injects the raw `Etcd3` over the shared connection, with the deadlines and the safe settings of
 * this library. Its keys are not put under the namespace.
 */
export function InjectEtcd(connection?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getEtcdToken(connection));
}

/** Injects a service of a named connection, such as `@InjectCoordination(ElectionService, 'reports')`. */
export function InjectCoordination(
  service: Service<unknown>,
  connection?: string,
): PropertyDecorator & ParameterDecorator {
  return Inject(getCoordinationToken(service, connection));
}

/** Changes the options of every connection of an application, once they are validated. */
export type OptionsRewrite = (
  options: ResolvedCoordinationOptions,
) => ResolvedCoordinationOptions | Promise<ResolvedCoordinationOptions>;

/** The token of the {@link OptionsRewrite}: a test puts its own etcd and its own time in place of what is given. */
export const OPTIONS_REWRITE: InjectionToken<OptionsRewrite> = Symbol('options of etcd, rewritten');

/** The token of the validated options of a connection, its name claimed. */
export function optionsToken(connection: string): InjectionToken<ResolvedCoordinationOptions> {
  return namedToken('options', 'the options of etcd', connection);
}

/** The token of a connection's snapshot, opened; null if it has none. */
export function snapshotToken(connection: string): InjectionToken<ConfigSnapshot | null> {
  return namedToken('snapshot', 'the configuration snapshot', connection);
}

/** The token of this process's part in the probing, over a connection. */
export function probingToken(connection: string): InjectionToken<Probing> {
  return namedToken('probing', 'the probing of instances', connection);
}

/** The token of a connection with all its parts; used inside of the module only. */
export function connectionToken(connection: string): InjectionToken<CoordinationConnection> {
  return namedToken('connection', 'the etcd connection', connection);
}

function namedToken(key: unknown, name: string, connection: string): symbol {
  const ofConnection = tokens.get(connection) ?? new Map<unknown, symbol>();
  tokens.set(connection, ofConnection);
  // Nest prints it where it cannot resolve it.
  const token = ofConnection.get(key) ?? Symbol(`${name} (import ${importAdvice(connection)})`);
  ofConnection.set(key, token);
  return token;
}
