import 'reflect-metadata';

/**
 * Whether `@MessagePattern` or `@EventPattern` has marked a method. Known by its metadata key,
 * because `@nestjs/microservices` is an optional peer.
 */
export function isMessageHandler(method: object): boolean {
  return Reflect.hasMetadata('microservices:pattern', method);
}
