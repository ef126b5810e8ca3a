import type { WatchedState } from '../../../libs/etcd-coordination/src/watch/watched-state.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { NAMESPACE } from './event-log.js';

/** Waits until a state is exactly what a linearizable list of its prefix shows. */
export async function expectStateToMatch(
  state: WatchedState,
  dir: string,
  endpoint: string,
): Promise<void> {
  let difference = '';
  await waitFor(
    async () => {
      const list = await listed(endpoint, `${NAMESPACE}/${dir}`);
      const shown = [...state.current.values()]
        .map((one) => `${NAMESPACE}/${one.key} = ${one.text()} @ ${one.createRevision}`)
        .sort();
      const missing = list.filter((line) => !shown.includes(line));
      const wrong = shown.filter((line) => !list.includes(line));
      difference = `missing ${missing.slice(0, 5).join(', ') || 'nothing'}, wrong ${wrong.slice(0, 5).join(', ') || 'nothing'}`;
      return state.synced && missing.length === 0 && wrong.length === 0;
    },
    { what: () => `the state to be right: ${difference}`, timeoutMs: 20_000, intervalMs: 20 },
  );
}

async function listed(endpoint: string, prefix: string): Promise<string[]> {
  // Larger than 4 MiB where the values are.
  using etcd = rawEtcd(endpoint, { grpcOptions: { 'grpc.max_receive_message_length': -1 } });
  const { key, rangeEnd } = prefixRange(prefix);
  const { kvs } = await etcd.client.kv.range({ key, range_end: rangeEnd! });
  return kvs
    .map((kv) => `${kv.key.toString()} = ${kv.value.toString()} @ ${kv.create_revision}`)
    .sort();
}
