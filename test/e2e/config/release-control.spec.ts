import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WriteOutcomeUnknownError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import type { ReleaseView } from '../../../libs/etcd-coordination/src/config/release/release-view.js';
import { deleteKey, keysUnder, revokeLease } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor, within } from '../../support/wait-for.js';
import { prefixOf } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Member, type MemberOptions, type Transition } from './release-member.js';

const servers = await serversUnderTest();

const OLD = { price: 1 };
const NEW = { price: 2 };
const FOR_EVER = 600_000;
const QUICK = { steps: [50, 100], observeMs: 200 };

/** Where a controller can be stopped: just before or after each thing that it writes. */
const POINTS: { type: Transition['type']; step: number; when: 'before' | 'after' }[] = [
  ...(['before', 'after'] as const).flatMap((when) => [
    { type: 'rolling', step: 1, when } as const,
    { type: 'rolling', step: 2, when } as const,
    { type: 'archive', step: 0, when } as const,
    { type: 'promoted', step: 2, when } as const,
  ]),
];

// The servers at once, for most of the time is spent waiting; one test after the other on each.
describe.concurrent.each(servers)('on $name', ({ start }) => {
  describe.sequential('the controller of a release', () => {
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
      key = `control-${(round += 1)}`;
      members = [];
      await operator.publisher.set(key, OLD);
    });
    afterEach(async () => {
      await Promise.all(members.map((member) => member.close()));
    });
    afterAll(async () => {
      await operator.close();
      await server.stop();
    });

    async function join(id: string, endpoint = server.endpoint, options: MemberOptions = {}) {
      const member = await Member.start(id, endpoint, options);
      members.push(member);
      await member.watch(key);
      return member;
    }
    const joinAll = (...ids: string[]) => Promise.all(ids.map((id) => join(id)));

    async function seen(what: string, like: (view: ReleaseView) => boolean): Promise<ReleaseView> {
      return waitFor(
        async () => {
          const view = (await operator.releases.get(key))!;
          return like(view) && view;
        },
        { what: `a release that ${what}`, timeoutMs: 25_000 },
      );
    }
    const over = () => seen('is over', ({ ended }) => ended !== null);
    const everybodyHas = ({ price }: { price: number }) =>
      waitFor(() => members.every(({ value }) => value === price), { what: `${price} everywhere` });
    const courseOf = ({ history }: ReleaseView) =>
      history.map(({ state, step }) => `${state} ${step}`);

    /** Does something once, as whoever controls the release comes to that point. */
    function once(
      point: (typeof POINTS)[number],
      act: (member: Member) => Promise<void>,
    ): { readonly hit: Promise<Member>; answers: unknown[] } {
      let armed = true;
      let told!: (member: Member) => void;
      const hit = new Promise<Member>((resolve) => (told = resolve));
      const answers: unknown[] = [];
      for (const member of members) {
        member.aroundTransitions(async ({ type, step }, send) => {
          if (!armed || type !== point.type || (type !== 'archive' && step !== point.step)) {
            return send();
          }
          armed = false;
          if (point.when === 'after') await send();
          await act(member);
          told(member);
          if (point.when === 'after') throw new WriteOutcomeUnknownError('it', 'by the test');
          const answer = await send();
          answers.push(answer);
          return answer;
        });
      }
      return { hit, answers };
    }

    async function endTermOf(member: Member): Promise<void> {
      const term = member.instance.elections.term(`config-release/${key}`);
      // Once it has promoted the release, it may have given it up.
      if (term) await deleteKey(server.endpoint, term.fence.key);
    }

    describe.each(POINTS)('$when it writes $type $step', (point) => {
      it('loses an answer, and does nothing twice', async () => {
        await joinAll('a', 'b', 'c');
        const { hit } = once({ ...point, when: 'after' }, () => Promise.resolve());
        await operator.releases.start(key, NEW, QUICK);
        await within(hit, { what: 'the point', timeoutMs: 25_000 });
        expect(courseOf(await over())).toEqual([
          'rolling 0',
          'rolling 1',
          'rolling 2',
          'promoted 2',
        ]);
        await everybodyHas(NEW);
        expect(await operator.publisher.history(key)).toHaveLength(2);
      });

      it('loses its term: it writes no more, and the next one goes on', async () => {
        await joinAll('a', 'b', 'c');
        const { hit, answers } = once(point, endTermOf);
        await operator.releases.start(key, NEW, QUICK);
        await within(hit, { what: 'the point', timeoutMs: 25_000 });
        expect(courseOf(await over())).toEqual([
          'rolling 0',
          'rolling 1',
          'rolling 2',
          'promoted 2',
        ]);
        await everybodyHas(NEW);
        expect(await operator.publisher.history(key)).toHaveLength(2);
        if (point.when === 'before' && point.type !== 'archive') {
          expect(answers).toMatchObject([{ succeeded: false }]);
        }
      });

      it('dies: the next one goes on, and takes the release back if it was a canary', async () => {
        await joinAll('a', 'b', 'c');
        const { hit } = once(point, async (member) => {
          const { id } = member.instance.session.lease!;
          await member.die();
          // As if it had run out already.
          await revokeLease(server.endpoint, id);
        });
        await operator.releases.start(key, NEW, QUICK);
        const dead = await within(hit, { what: 'the point', timeoutMs: 25_000 });
        const wasCanary = (await operator.releases.get(key))!.targets.includes(dead.id);
        const end = await over();
        if (wasCanary) {
          expect(end).toMatchObject({ state: 'rolled-back' });
          expect(end.ended).toContain(`"${dead.id}" vanished`);
        } else {
          expect(courseOf(end)).toEqual(['rolling 0', 'rolling 1', 'rolling 2', 'promoted 2']);
        }
        members = members.filter((member) => member !== dead);
        await everybodyHas(wasCanary ? OLD : NEW);
        const versions = await operator.publisher.history(key);
        expect(versions).toHaveLength(wasCanary ? 1 : 2);
        await dead.close();
      }, 40_000);
    });

    describe.each(['pause', 'promote', 'abort'] as const)(
      'and an operator who says %s at the same moment',
      (what) => {
        it('give way to the operator, who was first', async () => {
          await joinAll('a', 'b');
          const { hit, answers } = once({ type: 'rolling', step: 1, when: 'before' }, async () => {
            await operator.releases[what](key);
          });
          await operator.releases.start(key, NEW, { ...QUICK, observeMs: FOR_EVER });
          await within(hit, { what: 'the point', timeoutMs: 25_000 });
          await waitFor(() => answers.length > 0, { what: 'its answer' });
          expect(answers).toMatchObject([{ succeeded: false }]);
          const view = (await operator.releases.get(key))!;
          const state = { pause: 'paused', promote: 'promoted', abort: 'aborted' }[what];
          expect(view).toMatchObject({ state, step: 0 });
          await everybodyHas(what === 'promote' ? NEW : OLD);
          if (what === 'pause') await operator.releases.abort(key);
        });

        it('were first, and the operator is heard all the same', async () => {
          await joinAll('a', 'b');
          let attempts = 0;
          const late = await Member.start('late', server.endpoint);
          members.push(late);
          late.values.push(NaN);
          late.aroundTransitions(async ({ type }, send) => {
            // The controller comes between its reading and its writing.
            if (type !== 'archive' && type !== 'start' && (attempts += 1) === 1) {
              await joined;
              await seen('has begun', ({ step }) => step === 1);
            }
            return send();
          });
          let join!: () => void;
          const joined = new Promise<void>((resolve) => (join = resolve));
          for (const member of members.slice(0, 2)) {
            member.aroundTransitions(async ({ type }, send) => {
              if (type === 'rolling') await waitFor(() => attempts > 0, { what: 'the operator' });
              return send();
            });
          }
          await operator.releases.start(key, NEW, { ...QUICK, observeMs: FOR_EVER });
          join();
          const view = await late.releases[what](key, { author: 'bob' });
          expect(attempts).toBe(2);
          expect(courseOf(view).slice(0, 2)).toEqual(['rolling 0', 'rolling 1']);
          expect(view.history.at(-1)).toMatchObject({ by: 'bob', step: 1 });
          if (what === 'pause') await operator.releases.abort(key);
          members = members.filter((member) => member !== late);
          await everybodyHas(what === 'promote' ? NEW : OLD);
          await late.close();
        });
      },
    );

    it('decides on what etcd says, and not on what its watch has told so far', async () => {
      await joinAll('a', 'b');
      let isDeaf = false;
      let told = '';
      for (const { instance } of members) {
        const { watch } = instance;
        const original = watch.watch.bind(watch);
        watch.watch = (range, revision, handlers) =>
          original(range, revision, {
            ...handlers,
            events: (events) => {
              const isReports = range.key.toString().endsWith('/report/');
              if (isReports && isDeaf) return;
              if (isReports) told += events.map(({ kv }) => kv.value.toString()).join();
              handlers.events(events);
            },
          });
      }
      let isWell = true;
      for (const { releases } of members) releases.healthCheck('it', () => isWell);
      await operator.releases.start(key, NEW, { steps: [50, 100], observeMs: 3000 });
      await waitFor(() => told.includes('"applied"'), { what: 'the controller to know' });
      isDeaf = true;
      isWell = false;
      await seen('is unwell', ({ canaries, ended }) => ended !== null || !canaries[0]!.healthy);
      expect(courseOf(await over())).toEqual(['rolling 0', 'rolling 1', 'rolled-back 1']);
    });

    it('lets an operator whose answers are lost do things once', async () => {
      const proxy = await GrpcProxy.start({ target: server.endpoint });
      const far = await Member.start('far', proxy.url);
      const losing = () => proxy.loseAnswer('KV/Txn', { when: (answer) => isWrite(answer) });
      const faults = [losing()];
      await far.releases.start(key, NEW, { observeMs: FOR_EVER });
      for (const what of ['pause', 'resume', 'pause', 'promote'] as const) {
        faults.push(losing());
        await far.releases[what](key);
      }
      expect(faults.map(({ hits }) => hits)).toEqual([1, 1, 1, 1, 1]);
      expect(courseOf((await operator.releases.get(key))!)).toEqual([
        ...['rolling 0', 'paused 0', 'rolling 0', 'paused 0', 'promoted 0'],
      ]);
      expect(await operator.publisher.history(key)).toHaveLength(2);
      await far.close();
      await proxy.close();
    });

    it('goes on after etcd was away for longer than every lease', async () => {
      const proxy = await TcpProxy.start({ target: new URL(server.endpoint).host });
      const timings = { gatherMs: 300, vanishedMs: 5000 };
      for (const id of ['a', 'b', 'c']) await join(id, proxy.url, { timings });
      await operator.releases.start(key, NEW, { steps: [50, 100], observeMs: 1500 });
      const before = await seen(
        'was applied',
        ({ canaries }) => canaries.length === 2 && canaries.every((c) => c.state === 'applied'),
      );
      await proxy.refuse();
      await seen('has lost everybody', ({ instances }) => instances === 0);
      await waitFor(() => members.every(({ instance }) => instance.session.lease === null), {
        what: 'everybody to know',
      });
      // Those who had it have it still.
      const having = members.filter(({ value }) => value === NEW.price).map(({ id }) => id);
      expect(having.sort()).toEqual([...before.targets].sort());
      await proxy.pass();
      expect(courseOf(await over())).toEqual(['rolling 0', 'rolling 1', 'rolling 2', 'promoted 2']);
      await everybodyHas(NEW);
      await Promise.all(members.map((member) => member.close()));
      members = [];
      await proxy.close();
    }, 40_000);

    it('leaves its control to the next one when it shuts down', async () => {
      await joinAll('a', 'b', 'c');
      await operator.releases.start(key, NEW, { steps: [30, 100], observeMs: 1000 });
      await seen('has begun', ({ step }) => step === 1);
      const controller = members.find((member) => member.controls(key))!;
      await controller.close();
      expect(await keysUnder(server.endpoint, prefixOf(`config-release%2F${key}`))).toHaveLength(2);
      const end = await over();
      expect(end.state).toBe('promoted');
      expect(end.history.at(-1)!.by).not.toBe(controller.id);
      members = members.filter((member) => member !== controller);
      await everybodyHas(NEW);
    });
  });
});

function isWrite(answer: Record<string, unknown>): boolean {
  const responses = answer['responses'] as Record<string, unknown>[];
  return answer['succeeded'] === true && responses[0]?.['response_put'] !== undefined;
}
