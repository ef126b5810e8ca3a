export { ConfigHealthIndicator } from './config.health-indicator.js';
export { EtcdHealthIndicator } from './etcd.health-indicator.js';
export type {
  ConfigHealthOptions,
  EtcdHealthOptions,
  EtcdLivenessOptions,
  EtcdReadinessOptions,
  HealthPart,
} from './health-options.js';
export { InvalidHealthOptionError } from './invalid-health-option.error.js';
