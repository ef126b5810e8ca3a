import 'reflect-metadata';
import type { AnyMethod, DecoratedPlace } from './decorated-method.js';

/**
 * Whether callers count on a promise, which they must then get from a call that does not run as well:
 * `service.run().catch(…)`.
 */
export function returnsPromise({ target, name }: DecoratedPlace, method: AnyMethod): boolean {
  // The tag, unlike util.types.isAsyncFunction, is seen through another decorator's Proxy.
  const { [Symbol.toStringTag]: tag } = method as { [Symbol.toStringTag]?: string };
  if (tag === 'AsyncFunction') return true;
  return Reflect.getMetadata('design:returntype', target, name) === Promise;
}
