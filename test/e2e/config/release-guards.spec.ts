import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { configCandidateKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import type { ReleaseView } from '../../../libs/etcd-coordination/src/config/release/release-view.js';
import { putKey } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { NAMESPACE } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Member, pricesSchema } from './release-member.js';

const servers = await serversUnderTest();

const OLD = { price: 1 };
const NEW = { price: 2 };
const FOR_EVER = 600_000;

describe.concurrent.each(servers)('on $name', ({ start }) => {
  describe.sequential('a release', () => {
    let server: ServerUnderTest;
    let operator: Member;
    let members: Member[];
    let key: string;
    let round = 0;

    beforeAll(async () => {
      server = await start();
      operator = await Member.start('operator', server.endpoint);
    });
    beforeEach(async () => {
      key = `guarded-${(round += 1)}`;
      members = [];
      await operator.publisher.set(key, OLD);
    });
    afterEach(() => Promise.all(members.map((member) => member.close())));
    afterAll(async () => {
      await operator.close();
      await server.stop();
    });

    async function join(id: string): Promise<Member> {
      const member = await Member.start(id, server.endpoint);
      members.push(member);
      await member.watch(key, pricesSchema);
      return member;
    }

    function seen(what: string, like: (view: ReleaseView) => boolean): Promise<ReleaseView> {
      return waitFor(
        async () => {
          const now = (await operator.releases.get(key))!;
          return like(now) && now;
        },
        { what: `a release that ${what}`, timeoutMs: 20_000 },
      );
    }

    const overwrite = () =>
      putKey(server.endpoint, configCandidateKey(NAMESPACE, key), '{"price": 666}');
    const applied = () =>
      seen(
        'was applied',
        ({ step, canaries }) => step > 0 && canaries.every(({ state }) => state === 'applied'),
      );

    it('whose document others overwrite is taken back, and nobody gets what they wrote', async () => {
      await Promise.all(['a', 'b'].map(join));
      await operator.releases.start(key, NEW, { steps: [50, 100], observeMs: FOR_EVER });
      await applied();
      await overwrite();
      const end = await seen('is over', ({ ended }) => ended !== null);
      expect(end).toMatchObject({
        ...{ state: 'rolled-back', ended: 'its document was overwritten by others' },
      });
      await waitFor(() => members.every(({ value }) => value === OLD.price), { what: 'the old' });
      for (const { values } of members) expect(values).not.toContain(666);
      expect((await operator.store.get(key)).value).toEqual(OLD);
    });

    it('whose document others overwrote before there was anybody cannot be promoted', async () => {
      await operator.releases.start(key, NEW);
      await overwrite();
      await expect(operator.releases.promote(key)).rejects.toMatchObject({
        ...{ code: 'RELEASE_DOCUMENT_CHANGED', key },
      });
      expect((await operator.store.get(key)).value).toEqual(OLD);
      expect((await operator.releases.abort(key)).state).toBe('aborted');
    });

    it('whose canary was unwell before waits for it visibly, and goes on once it is well', async () => {
      const sick = await join('sick');
      let isWell = false;
      sick.releases.healthCheck('always', () => isWell || 'no luck');
      await operator.releases.start(key, NEW, { steps: [100], observeMs: 1 });
      const { waitsFor } = await seen('waits for it', (view) => {
        return view.canaries[0]?.state === 'applied' && view.waitsFor!.includes('to be well');
      });
      expect(waitsFor).toContain('the instance "sick" to be well');
      expect(waitsFor).toContain('no luck');
      isWell = true;
      const end = await seen('is over', ({ ended }) => ended !== null);
      expect(end).toMatchObject({ state: 'promoted' });
    });

    it('whose canary was unwell before, became well with it and then sick is taken back', async () => {
      const canary = await join('canary');
      let isWell = false;
      canary.releases.healthCheck('it', () => isWell);
      await operator.releases.start(key, NEW, { steps: [100], observeMs: FOR_EVER });
      await applied();
      isWell = true;
      await seen('is well', ({ canaries }) => canaries[0]!.healthy);
      isWell = false;
      const end = await seen('is over', ({ ended }) => ended !== null);
      expect(end.state).toBe('rolled-back');
      expect(end.ended).toContain('was well once it had applied it, and is not any more');
    });
  });
});
