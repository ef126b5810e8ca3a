import { inspect } from 'node:util';
import { InvalidDiscoveryOptionError } from '../discovery.errors.js';
import { STRATEGIES, type ChooseOptions, type ChooseStrategy } from '../service-pool.js';
import { STRATEGY } from './strategies.js';

/** Those that have a key find it by `rendezvous`. */
const DEFAULT_STRATEGY: ChooseStrategy = 'power-of-two';

/**
 * The strategy that is asked for.
 *
 * @throws {InvalidDiscoveryOptionError} if something that was asked for cannot be
 */
export function readStrategy(options: ChooseOptions): ChooseStrategy {
  const { strategy, zone, hashKey, exclude } = options;
  if (zone !== undefined && typeof zone !== 'string') throw wrong('zone', zone, 'give a string');
  if (hashKey !== undefined && typeof hashKey !== 'string') {
    throw wrong('hashKey', hashKey, 'give a string');
  }
  if (exclude !== undefined && !((exclude as unknown) instanceof Set)) {
    throw wrong('exclude', exclude, 'give a Set of ids');
  }
  if (strategy === undefined) return hashKey === undefined ? DEFAULT_STRATEGY : 'rendezvous';
  if (!Object.hasOwn(STRATEGY, strategy)) {
    throw wrong('strategy', strategy, `give one of ${STRATEGIES.join(', ')}`);
  }
  if (strategy === 'rendezvous' && hashKey === undefined) {
    throw wrong('hashKey', hashKey, 'give the key that is to find its instance');
  }
  return strategy;
}

function wrong(option: keyof ChooseOptions, value: unknown, cure: string) {
  const state = value === undefined ? 'is missing' : `is ${inspect(value, { depth: 0 })}`;
  return new InvalidDiscoveryOptionError(option, `The option "${option}" ${state}: ${cure}.`);
}
