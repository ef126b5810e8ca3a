/** Who reads a configuration: it decides which layers make up its value, and whether a release reaches it. */
export interface ConfigIdentity {
  readonly instanceId: string;
  /** The name in the option `service`. */
  readonly service?: string;
  readonly zone?: string;
  /** What a release can be aimed at: the service's `metadata`, and its `version` under that name. */
  readonly labels: Readonly<Record<string, string>>;
}
