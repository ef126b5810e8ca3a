import type { PrefixView } from '../../../libs/etcd-coordination/src/watch/prefix-view.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';

/** Waits until a view holds exactly what a linearizable list of its prefix shows. */
export async function expectToMatch(view: PrefixView, endpoint: string): Promise<void> {
  const listed = async () =>
    (await keysUnder(endpoint, view.prefix))
      .map(({ key, value, createRevision }) => `${key} = ${value} @ ${createRevision}`)
      .sort();
  const viewed = () =>
    [...view.entries]
      .map(([key, kv]) => `${key} = ${kv.value.toString()} @ ${kv.create_revision}`)
      .sort();
  let difference = '';
  await waitFor(
    async () => {
      const [list, shown] = [await listed(), viewed()];
      const missing = list.filter((line) => !shown.includes(line));
      const wrong = shown.filter((line) => !list.includes(line));
      difference = `missing ${missing.join(', ') || 'nothing'}, wrong ${wrong.join(', ') || 'nothing'}`;
      return view.synced && missing.length === 0 && wrong.length === 0;
    },
    { what: () => `the view to be right: ${difference}`, timeoutMs: 15_000, intervalMs: 20 },
  );
}
