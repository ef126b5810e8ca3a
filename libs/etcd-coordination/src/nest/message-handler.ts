import 'reflect-metadata';
import { type AnyMethod, wrappersAround } from './decorated-method.js';

/**
 * Whether `@MessagePattern` or `@EventPattern` has marked a method, or what other decorators have wrapped it
 * in. Known by its metadata key, because `@nestjs/microservices` is an optional peer.
 */
export function isMessageHandler(method: object): boolean {
  for (const wrapper of wrappersAround(method as AnyMethod)) {
    if (Reflect.hasMetadata('microservices:pattern', wrapper)) return true;
  }
  return false;
}
