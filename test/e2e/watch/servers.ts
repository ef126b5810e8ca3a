import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';

/** One server under test, whatever it is made of. */
export interface ServerUnderTest {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** Every kind of server that can be had here: the real lines, and the embedded one. */
export async function serversUnderTest(): Promise<
  { name: string; start: () => Promise<ServerUnderTest> }[]
> {
  const lines = await availableEtcdLines();
  return [
    ...lines.map((line) => ({
      name: `etcd ${line}`,
      start: async () => {
        const server = await EtcdServer.start({ line });
        return { endpoint: server.endpoint, stop: () => server.kill() };
      },
    })),
    {
      name: 'the embedded server',
      start: async () => {
        const server = await EmbeddedEtcd.start({ logger: false });
        return { endpoint: server.endpoint, stop: () => server.close() };
      },
    },
  ];
}
