export { ConfigHealthIndicator, type ConfigHealthOptions } from './config.health-indicator.js';
export { EtcdHealthIndicator, type EtcdHealthOptions } from './etcd.health-indicator.js';
