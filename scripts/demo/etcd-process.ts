import { EmbeddedEtcd } from 'nestjs-etcd-coordination/embedded';

// The demo's etcd, in a process of its own, so that it outlives the services that are killed.
// Ctrl-C reaches the whole group of processes: the services still need it then to hand over.
process.on('SIGINT', () => {});

const etcd = await EmbeddedEtcd.start({ port: 0 });
process.once('SIGTERM', () => void etcd.close().finally(() => process.exit(0)));
process.send?.(etcd.endpoint);
