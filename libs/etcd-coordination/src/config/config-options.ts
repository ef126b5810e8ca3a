import type { StandardSchemaV1 } from '@standard-schema/spec';

/** How the documents of a configuration are written. */
export type ConfigFormat = 'json' | 'yaml' | 'text';

/** What a configuration is, as its readers declare it. */
export interface ConfigOptions<T> {
  /**
   * What a value must be: any Standard Schema, such as a zod or a valibot one. What it makes of
   * the document (defaults filled in, texts turned to dates) is the value. Without one, whatever
   * can be parsed is good.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * The value where etcd has no document. It is given in the shape of a value, and taken as it
   * is. Without one, a missing document fails the start, and a deleted one is refused: the last
   * good value stands.
   */
  readonly default?: T;
  /** How documents are written. Default `json`. */
  readonly format?: ConfigFormat;
}

/** A configuration under its name, with every option filled in. */
export interface ConfigDeclaration<T = unknown> extends ConfigOptions<T> {
  readonly key: string;
  readonly format: ConfigFormat;
}
