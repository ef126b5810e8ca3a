import type { InjectionToken, OptionalFactoryDependency, Provider } from '@nestjs/common';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { ConnectionRegistry } from './connection-registry.js';
import type {
  CoordinationAsyncOptions,
  CoordinationOptions,
  CoordinationOptionsFactory,
  ResolvedCoordinationOptions,
} from './coordination-options.js';
import { OptionsFactoryError } from './coordination.errors.js';
import { optionsToken } from './coordination.tokens.js';
import { InvalidOptionError, shown } from './invalid-option.error.js';
import { assertMade, validateOptions } from './validate-options.js';

/** The options that `forRoot` has validated. */
export function syncOptionsProvider(resolved: ResolvedCoordinationOptions): Provider {
  return {
    provide: optionsToken(resolved.connection),
    useFactory: (registry: ConnectionRegistry) =>
      registry.prepare(resolved.connection, () => resolved),
    inject: [ConnectionRegistry],
  };
}

/** The options that a factory makes while the application starts. */
export function asyncOptionsProviders(
  given: CoordinationAsyncOptions,
  connection: string,
): Provider[] {
  const { make, inject, providers } = howToMake(given);
  const options: Provider = {
    provide: optionsToken(connection),
    useFactory: (registry: ConnectionRegistry, ...dependencies: unknown[]) =>
      registry.prepare(connection, async () => {
        const made = await makeOptions(connection, () => make(...dependencies));
        return validateOptions(namedAs(connection, made));
      }),
    inject: [ConnectionRegistry, ...inject],
  };
  return [...providers, options];
}

interface Recipe {
  readonly make: (...dependencies: unknown[]) => unknown;
  readonly inject: (InjectionToken | OptionalFactoryDependency)[];
  readonly providers: Provider[];
}

function howToMake(given: CoordinationAsyncOptions): Recipe {
  // Whoever writes JavaScript may have given anything.
  const ways = given ?? {};
  const make = (factory: unknown) =>
    (factory as CoordinationOptionsFactory).createCoordinationOptions();
  if ('useFactory' in ways && ways.useFactory) {
    return { make: ways.useFactory, inject: ways.inject ?? [], providers: [] };
  }
  if ('useClass' in ways && ways.useClass) {
    return { make, inject: [ways.useClass], providers: [ways.useClass] };
  }
  if ('useExisting' in ways && ways.useExisting) {
    return { make, inject: [ways.useExisting], providers: [] };
  }
  throw new InvalidOptionError(
    'forRootAsync',
    undefined,
    `has no way to make the options: give one of useFactory, useClass and useExisting.`,
  );
}

async function makeOptions(connection: string, make: () => unknown): Promise<CoordinationOptions> {
  let made: unknown;
  try {
    made = await make();
  } catch (error) {
    throw new OptionsFactoryError(connection, error);
  }
  assertMade(made, connection);
  return made as CoordinationOptions;
}

/** The name is wanted before the factory runs, so what it says itself may only agree. */
function namedAs(connection: string, made: CoordinationOptions): CoordinationOptions {
  if (typeof made !== 'object') return made;
  const own = made.connection;
  if (own === undefined || own === connection) return { ...made, connection };
  const beside = connection === DEFAULT_CONNECTION ? 'none' : shown(connection);
  throw new InvalidOptionError(
    'connection',
    own,
    `is ${shown(own)} in what the factory made, but ${beside} beside the factory: give it there, forRootAsync({ connection: ${shown(own)}, useFactory: ... }).`,
  );
}
