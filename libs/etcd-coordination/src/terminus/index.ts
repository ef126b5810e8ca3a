export { EtcdHealthIndicator, type EtcdHealthOptions } from './etcd.health-indicator.js';
