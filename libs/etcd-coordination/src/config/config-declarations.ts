import { isDeepStrictEqual } from 'node:util';
import { assertConfigName } from './config-name.js';
import type { ConfigDeclaration, ConfigOptions } from './config-options.js';
import { ConfigDeclarationError } from './config.errors.js';
import { frozenCopy } from './deep-freeze.js';

const FORMATS: readonly unknown[] = ['json', 'yaml', 'text'];

/** What the configurations of this process are: declared once, the same everywhere. */
export class ConfigDeclarations {
  private readonly byKey = new Map<string, ConfigDeclaration>();

  /**
   * Takes a declaration in; again the same one is the same.
   *
   * @throws {InvalidConfigNameError} for a name that none can have
   * @throws {ConfigDeclarationError} for an option that means nothing, and for a declaration that
   *   is not the one that stands
   */
  declare<T>(key: string, options: ConfigOptions<T> = {}): ConfigDeclaration<T> {
    const declaration = readDeclaration(key, options);
    const standing = this.byKey.get(key);
    if (!standing) {
      this.byKey.set(key, declaration);
      return declaration;
    }
    const fault = whatDiffers(standing, declaration);
    if (fault) {
      throw new ConfigDeclarationError(
        key,
        `was declared in this process with another ${fault}; declare it once and share that`,
      );
    }
    return standing as ConfigDeclaration<T>;
  }

  /** What stands for a configuration, if anything does. */
  get(key: string): ConfigDeclaration | undefined {
    return this.byKey.get(key);
  }
}

/** The options as a declaration, each one filled in. Throws as {@link ConfigDeclarations.declare} does. */
export function readDeclaration<T>(key: string, options: ConfigOptions<T>): ConfigDeclaration<T> {
  assertConfigName(key);
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new ConfigDeclarationError(key, 'was declared with options that are no object');
  }
  const { schema, format = 'json' } = options;
  if (!FORMATS.includes(format)) {
    throw new ConfigDeclarationError(
      key,
      `was declared with an unknown format; give "json", "yaml" or "text"`,
    );
  }
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    throw new ConfigDeclarationError(
      key,
      'was declared with a schema that is no Standard Schema; give one of zod, valibot, arktype or another that has "~standard"',
    );
  }
  return {
    key,
    format,
    ...(schema && { schema }),
    ...(options.default !== undefined && { default: frozenCopy(options.default) }),
  };
}

/** What two declarations of one configuration disagree in, or null. */
export function whatDiffers(a: ConfigDeclaration, b: ConfigDeclaration): string | null {
  if (a.schema !== b.schema) return 'schema';
  if (a.format !== b.format) return 'format';
  return isDeepStrictEqual(a.default, b.default) ? null : 'default';
}
