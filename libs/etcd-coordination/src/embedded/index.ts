export { EmbeddedEtcd } from './embedded-etcd.js';
export { EmbeddedEtcdListenError, EmbeddedEtcdOptionError } from './embedded-etcd.error.js';
export type { EmbeddedEtcdOptions } from './embedded-etcd.options.js';
