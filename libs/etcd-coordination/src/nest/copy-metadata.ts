import 'reflect-metadata';

/**
 * Gives a wrapper all that other decorators have said of the function that it wraps: routes,
 * guards, message patterns, schedules. They look their metadata up on the function itself.
 */
export function copyMetadata(from: object, to: object): void {
  for (const key of Reflect.getOwnMetadataKeys(from) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, from), to);
  }
}
