import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_DOCUMENT_BYTES } from '../../../libs/etcd-coordination/src/config/config-history.js';
import type { ReleaseView } from '../../../libs/etcd-coordination/src/config/release/release-view.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { NAMESPACE } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Member, pricesSchema, type MemberOptions } from './release-member.js';

const servers = await serversUnderTest();

const OLD = { price: 1 };
const NEW = { price: 2 };
/** Longer than any test: whatever happens does not happen because the time has come. */
const FOR_EVER = 600_000;

// The servers at once, for most of the time is spent waiting; one test after the other on each.
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
      key = `prices-${(round += 1)}`;
      members = [];
      await operator.publisher.set(key, OLD);
    });
    afterEach(async () => {
      await Promise.all(members.map((member) => member.close()));
      const left = await keysUnder(server.endpoint, `${NAMESPACE}/config/${key}/`);
      const kept = left
        .map(({ key }) => key)
        .filter((path) => !/\/(layer|history|release)\b/.test(path));
      // Unless a test leaves one under way on purpose.
      if ((await view())?.ended) expect(kept).toEqual([]);
    });
    afterAll(async () => {
      await operator.close();
      await server.stop();
    });

    async function join(id: string, options: MemberOptions = {}): Promise<Member> {
      const member = await Member.start(id, server.endpoint, options);
      members.push(member);
      await member.watch(key, pricesSchema);
      return member;
    }

    const view = () => operator.releases.get(key);
    const joinAll = (...ids: string[]) => Promise.all(ids.map((id) => join(id)));
    const member = (id: string) => members.find((one) => one.id === id)!;

    /** The release once it looks like that. */
    function seen(what: string, like: (view: ReleaseView) => boolean): Promise<ReleaseView> {
      return waitFor(
        async () => {
          const now = (await view())!;
          return like(now) && now;
        },
        { what: `a release that ${what}`, timeoutMs: 20_000 },
      );
    }

    const over = () => seen('is over', ({ ended }) => ended !== null);
    const applied = (step: number) =>
      seen(
        `was applied at step ${step}`,
        (v) => v.step === step && v.canaries.every(({ state }) => state === 'applied'),
      );
    const everybodyHas = ({ price }: { price: number }) =>
      waitFor(() => members.every(({ value }) => value === price), { what: `${price} everywhere` });

    it('goes step by step to everybody, and nobody has it before its turn', async () => {
      await joinAll('a', 'b', 'c', 'd');
      const shown: string[] = [];
      const following = operator.releases
        .release$(key)
        .subscribe((v) => v && shown.push(`${v.state} ${v.step}`));
      const options = { steps: [25, 50, 100], observeMs: 1000, author: 'ann', reason: 'cheaper' };
      const started = await operator.releases.start(key, NEW, options);
      expect(started).toMatchObject({ state: 'rolling', step: 0, steps: 3, targets: [], key });

      let before: readonly string[] = [];
      for (const [step, count, share] of [
        [1, 1, 25],
        [2, 2, 50],
        [3, 4, 100],
      ] as const) {
        const now = await applied(step);
        expect(now).toMatchObject({ share, instances: 4, targets: { length: count } });
        expect(now.targets.slice(0, before.length)).toEqual(before);
        before = now.targets;
        const having = members.filter(({ value }) => value === NEW.price).map(({ id }) => id);
        // Unless it went on between the two looks.
        expect((await view())!.step).toBe(step);
        expect(having.sort()).toEqual([...now.targets].sort());
      }
      const end = await over();
      expect(end).toMatchObject({
        state: 'promoted',
        ended: 'every step went well',
        waitsFor: null,
      });
      expect(end.history.map(({ state, step, targets }) => `${state} ${step} ${targets}`)).toEqual([
        ...['rolling 0 0', 'rolling 1 1', 'rolling 2 2', 'rolling 3 4', 'promoted 3 4'],
      ]);
      await everybodyHas(NEW);
      for (const { values } of members) expect(values).toEqual([OLD.price, NEW.price]);
      await waitFor(() => shown.at(-1) === 'promoted 3', { what: 'the end to be shown' });
      expect(new Set(shown)).toEqual(
        new Set(['rolling 0', 'rolling 1', 'rolling 2', 'rolling 3', 'promoted 3']),
      );
      following.unsubscribe();
      const [version] = await operator.publisher.history(key);
      expect(version).toMatchObject({
        author: 'ann',
        reason: 'cheaper',
        current: true,
        sequence: 2,
      });
      const late = await join('late');
      expect(late.values).toEqual([NEW.price]);
    });

    it('is taken back when a canary cannot use it, and nobody else sees it', async () => {
      await joinAll('a', 'b', 'c');
      await operator.releases.start(key, { price: 'a lot' }, { observeMs: FOR_EVER });
      const end = await over();
      expect(end.state).toBe('rolled-back');
      expect(end.ended).toMatch(/^the instance "[abc]" rejected it: .*price: is no number/);
      for (const { values } of members) expect(values).toEqual([OLD.price]);
      const { layers } = await operator.store.get(key);
      expect(layers.map(({ document }) => JSON.parse(document))).toEqual([OLD]);
    });

    it('is taken back when a canary is well no more, and nobody else sees it', async () => {
      await joinAll('a', 'b', 'c');
      for (const one of members) {
        one.releases.healthCheck('orders', () => one.value === OLD.price || 'no orders come in');
      }
      await operator.releases.start(key, NEW, { steps: [30, 100], observeMs: FOR_EVER });
      const end = await over();
      expect(end.state).toBe('rolled-back');
      const [, canary] =
        /^the instance "(\w)" was well before .*: the health check "orders" says: no orders come in/.exec(
          end.ended!,
        )!;
      await everybodyHas(OLD);
      for (const { id, values } of members) {
        expect(values).toEqual(id === canary ? [OLD.price, NEW.price, OLD.price] : [OLD.price]);
      }
    });

    it('waits for a canary that was unwell before, until an operator decides', async () => {
      const sick = await join('sick');
      sick.releases.healthCheck('always', () => false);
      await operator.releases.start(key, NEW, { steps: [100], observeMs: 100 });
      const waiting = await seen('waits for it', ({ waitsFor }) =>
        waitsFor!.includes('to be well'),
      );
      expect(waiting).toMatchObject({ state: 'rolling', targets: ['sick'] });
      await operator.releases.promote(key);
      expect((await over()).state).toBe('promoted');
    });

    it('is taken back when a canary dies', async () => {
      const labels = { canary: 'yes' };
      const canary = await join('canary', { labels });
      await joinAll('a', 'b');
      await operator.releases.start(key, NEW, { labels, observeMs: FOR_EVER });
      const now = await applied(1);
      expect(now).toMatchObject({ targets: ['canary'], share: null, labels });
      await canary.die();
      const end = await over();
      expect(end).toMatchObject({
        ...{ state: 'rolled-back', step: 1 },
        ended: 'the instance "canary" vanished without saying that it leaves',
      });
      for (const id of ['a', 'b']) expect(member(id).values).toEqual([OLD.price]);
    });

    it('goes on when a canary leaves in good order, and with others when all of them have', async () => {
      const labels = { canary: 'yes' };
      const first = await join('first', { labels });
      await joinAll('a', 'b');
      await operator.releases.start(key, NEW, { labels, observeMs: 1500 });
      await applied(1);
      await first.close();
      const waiting = await seen('waits for another', ({ waitsFor }) =>
        waitsFor!.includes('labels'),
      );
      expect(waiting.canaries).toMatchObject([{ instanceId: 'first', leaving: true }]);
      await join('second', { labels });
      const now = await seen('has another', ({ targets }) => targets.includes('second'));
      expect(now).toMatchObject({ state: 'rolling', step: 1 });
      const end = await over();
      expect(end).toMatchObject({ state: 'promoted', step: 4 });
      expect(end.history.filter(({ step }) => step === 1)).toHaveLength(2);
    });

    it('waits for somebody to be there, and says so', async () => {
      await operator.releases.start(key, NEW, { steps: [100], observeMs: 100 });
      expect((await view())!.waitsFor).toContain('an instance that follows the configuration');
      await join('a');
      expect((await over()).state).toBe('promoted');
    });

    it('concerns only those who merge its layer', async () => {
      await join('near', { zone: 'near' });
      await join('far', { zone: 'far' });
      const options = { layer: 'zone:near', steps: [100], observeMs: 500 } as const;
      await operator.releases.start(key, NEW, options);
      expect(await applied(1)).toMatchObject({ instances: 1, targets: ['near'] });
      expect((await over()).state).toBe('promoted');
      await waitFor(() => member('near').value === NEW.price, { what: 'the value' });
      expect(member('far').values).toEqual([OLD.price]);
    });

    it('is refused while there is another one, and when its plan or its value is bad', async () => {
      await join('a');
      await operator.releases.start(key, NEW, { observeMs: FOR_EVER, author: 'ann' });
      await expect(operator.releases.start(key, NEW)).rejects.toMatchObject({
        ...{ code: 'RELEASE_UNDER_WAY', author: 'ann' },
        message: expect.stringContaining('by ann'),
      });
      await operator.releases.abort(key, { reason: 'too early' });
      const bad = member('a').releases.start(key, { price: 'x' });
      await expect(bad).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      const plan = operator.releases.start(key, NEW, { steps: [50] });
      await expect(plan).rejects.toMatchObject({ code: 'INVALID_RELEASE_PLAN' });
      for (const options of [{ author: '' }, { reason: 5 }, null] as never[]) {
        const odd = { code: 'INVALID_CONFIG_WRITE' };
        await expect(operator.releases.start(key, NEW, options)).rejects.toMatchObject(odd);
        await expect(operator.releases.abort(key, options)).rejects.toMatchObject(odd);
      }
      const old = operator.releases.start(key, NEW, { expectedRevision: 1n });
      await expect(old).rejects.toMatchObject({ code: 'CONFIG_CONFLICT' });
      expect(await view()).toMatchObject({ state: 'aborted', ended: 'too early' });
    });

    it('begins once when two begin it at the same moment', async () => {
      const both = await Promise.allSettled(
        [1, 2, 3, 4].map(() => operator.releases.start(key, NEW, { observeMs: FOR_EVER })),
      );
      const refused = both.filter((result) => result.status === 'rejected');
      expect(refused).toHaveLength(3);
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 'RELEASE_UNDER_WAY' });
      await operator.releases.abort(key);
    });

    it('does not begin over a layer that changes while it is checked', async () => {
      const other = await join('other');
      let isFirst = true;
      other.aroundTransitions(async ({ type }, send) => {
        if (type === 'start' && isFirst) await operator.store.set(key, { price: 3 });
        isFirst = false;
        return send();
      });
      const started = other.releases.start(key, NEW);
      await expect(started).rejects.toMatchObject({ code: 'CONFIG_CONFLICT', key });
      expect(await view()).toBeNull();
    });

    it('is taken back as soon as its layer is set by others', async () => {
      await joinAll('a', 'b');
      await operator.releases.start(key, NEW, { observeMs: FOR_EVER });
      await applied(1);
      await operator.store.set(key, { price: 3 });
      expect(await over()).toMatchObject({
        state: 'rolled-back',
        ended: expect.stringContaining('the layer "shared" was changed'),
      });
      await everybodyHas({ price: 3 });
    });

    it('brings the largest document that may be set, whatever else is said', async () => {
      const room = MAX_DOCUMENT_BYTES - JSON.stringify({ ...NEW, text: '' }).length;
      const largest = { ...NEW, text: 'x'.repeat(room) };
      const said = 'ü'.repeat(2048);
      const labels = { canary: 'ü'.repeat(90) };
      await join('a', { labels });
      await operator.releases.start(key, largest, {
        ...{ labels, steps: [100], observeMs: 500, author: 'ü'.repeat(256), reason: said },
      });
      for (let n = 0; n < 5; n++) {
        await operator.releases.pause(key, { reason: said });
        await operator.releases.resume(key, { reason: said });
      }
      expect(await over()).toMatchObject({ state: 'promoted', reason: said });
      const larger = operator.releases.start(key, { ...largest, text: `${largest.text}x` });
      await expect(larger).rejects.toMatchObject({ code: 'CONFIG_TOO_LARGE' });
    });

    it('brings a document of 1.4 MiB, and back', async () => {
      const document = { price: 2, text: 'x'.repeat(1.4 * 1024 * 1024) };
      await join('a');
      await operator.releases.start(key, document, { steps: [100], observeMs: 100 });
      expect((await over()).state).toBe('promoted');
      await operator.releases.start(key, { ...document, price: 3 }, { observeMs: FOR_EVER });
      await applied(1);
      await operator.releases.abort(key);
      await everybodyHas(NEW);
      expect(member('a').values).toEqual([1, 2, 3, 2]);
    });

    describe('in the hands of an operator', () => {
      it('is held by a pause, and goes on from there', async () => {
        await joinAll('a', 'b');
        const { releases } = operator;
        await releases.start(key, NEW, { steps: [50, 100], observeMs: 100 });
        await seen('has begun', ({ step }) => step > 0);
        const paused = await releases.pause(key, { author: 'bob', reason: 'lunch' });
        expect(paused).toMatchObject({ state: 'paused', waitsFor: 'an operator to resume it' });
        expect(paused.history.at(-1)).toMatchObject({ by: 'bob', what: 'lunch' });
        // Once more changes nothing.
        expect((await releases.pause(key)).history).toEqual(paused.history);
        const resumed = await releases.resume(key);
        expect(resumed).toMatchObject({ state: 'rolling', step: paused.step });
        expect((await releases.resume(key)).state).toMatch(/rolling|promoted/);
        expect(await over()).toMatchObject({ state: 'promoted', step: 2 });
      });

      it('is promoted at once, paused or not, and without anybody there', async () => {
        await operator.releases.start(key, NEW);
        await operator.releases.pause(key);
        const end = await operator.releases.promote(key, { author: 'bob' });
        expect(end).toMatchObject({ state: 'promoted', ended: 'promoted by bob', step: 0 });
        expect((await operator.store.get(key)).value).toEqual(NEW);
      });

      it('is aborted, and everybody has the old value', async () => {
        await joinAll('a', 'b');
        await operator.releases.start(key, NEW, { steps: [100], observeMs: FOR_EVER });
        await applied(1);
        const end = await operator.releases.abort(key, { reason: 'wrong', author: 'bob' });
        expect(end).toMatchObject({ state: 'aborted', ended: 'wrong', targets: [], canaries: [] });
        await everybodyHas(OLD);
      });

      it.each(['pause', 'resume', 'promote', 'abort'] as const)(
        'cannot be told to %s when it is over, or never was',
        async (what) => {
          const never = {
            code: 'RELEASE_NOT_UNDER_WAY',
            message: expect.stringContaining('never'),
          };
          await expect(operator.releases[what](key)).rejects.toMatchObject(never);
          expect(await view()).toBeNull();
          await operator.releases.start(key, NEW);
          await operator.releases.abort(key);
          const ended = {
            code: 'RELEASE_NOT_UNDER_WAY',
            message: expect.stringContaining('aborted'),
          };
          await expect(operator.releases[what](key)).rejects.toMatchObject(ended);
        },
      );

      it('is not promoted over a change of its layer', async () => {
        await operator.releases.start(key, NEW);
        await operator.store.set(key, { price: 3 });
        const promoted = operator.releases.promote(key);
        await expect(promoted).rejects.toMatchObject({ code: 'CONFIG_CONFLICT' });
        expect((await operator.store.get(key)).value).toEqual({ price: 3 });
        await operator.releases.abort(key);
      });
    });
  });
});
