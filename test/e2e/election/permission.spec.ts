import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { enableAuth } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance, prefixOf } from './instance.js';

const lines = await availableEtcdLines();

describeAtOnce(lines, 'a user of etcd who may not see an election', (line) => {
  let server: EtcdServer;
  let instance: Instance;

  beforeAll(async () => {
    server = await EtcdServer.start({ line });
    await enableAuth(server.endpoint, 'secret', [
      { name: 'orders', password: 'pass', prefix: prefixOf('allowed') },
    ]);
    const auth = { username: 'orders', password: 'pass' };
    instance = await Instance.start('orders', server.endpoint, { auth });
  });
  afterAll(async () => {
    await instance?.close();
    await server?.kill();
  });

  /** Lets the user see one more election. */
  async function grant(election: string): Promise<void> {
    using etcd = rawEtcd(server.endpoint, { auth: { username: 'root', password: 'secret' } });
    const key = Buffer.from(prefixOf(election));
    const range_end = Buffer.from(key);
    range_end[range_end.length - 1]! += 1;
    const perm = { permType: 'Readwrite' as const, key, range_end };
    await etcd.client.auth.roleGrantPermission({ name: 'of-orders', perm });
  }

  const refused = { code: 'ETCD_PERMISSION_DENIED', message: expect.stringMatching(/"orders"/) };

  it('is told so whatever it asks, and leads in the elections that it may see', async () => {
    const { elections } = instance;
    await expect(elections.join('other')).rejects.toMatchObject(refused);
    await expect(elections.campaign('other')).rejects.toMatchObject(refused);
    await expect(elections.candidates('other')).rejects.toMatchObject(refused);
    let error: unknown;
    elections.observe('other').subscribe({ error: (reason: unknown) => (error = reason) });
    await waitFor(() => error, { what: 'the observer to be told' });
    expect(error).toMatchObject(refused);
    expect(await elections.campaign('allowed')).toMatchObject({ election: 'allowed' });
  });

  it('stands as soon as it asks again once it may', async () => {
    const { elections } = instance;
    await expect(elections.join('later')).rejects.toMatchObject(refused);
    await grant('later');
    await elections.join('later');
    await waitFor(() => elections.term('later'), { what: 'the term' });
    await elections.leave('later');
  });
});
