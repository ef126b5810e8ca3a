import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseView } from '../../../libs/etcd-coordination/src/config/release/release-view.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { waitFor } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { NAMESPACE } from '../election/instance.js';
import { Member } from './release-member.js';

const file = new URL('./release.worker.ts', import.meta.url);
const lines = await availableEtcdLines();

/** Longer than the lease of a process that died, 2 s and a half, and the time it is given to come back. */
const OBSERVE_MS = 5000;

describe.concurrent.each(lines)('with processes on etcd %s', (line) => {
  describe.sequential('a release', () => {
    let server: EtcdServer;
    let operator: Member;
    /** Those that live; whoever is killed is replaced. */
    const workers = new Map<string, WorkerProcess>();
    let started = 0;
    let key: string;
    let round = 0;

    beforeAll(async () => {
      server = await EtcdServer.start({ line });
      operator = await Member.start('operator', server.endpoint);
    });
    afterAll(async () => {
      await everybody((worker) => worker.kill());
      await operator?.close();
      await server?.kill();
    });

    /** Three processes that follow a configuration of their own; each stops itself if it comes to `trap` first. */
    async function fleet(trap: object | null): Promise<void> {
      key = `processes-${(round += 1)}`;
      await operator.publisher.set(key, { price: 1 });
      while (workers.size < 3) {
        const id = `w${(started += 1)}`;
        const worker = await WorkerProcess.start(file, { args: [server.endpoint, id] });
        workers.set(id, worker);
        // One after the other: it is the start of a process that takes the most.
        await worker.message('ready', { timeoutMs: 60_000 });
      }
      await everybody(async (worker) => {
        worker.send({ follow: key, trap });
        await worker.message((m) => m['type'] === 'follows' && m['key'] === key);
      });
    }

    const everybody = (what: (worker: WorkerProcess) => Promise<unknown>) =>
      Promise.all([...workers.values()].map(what));
    const valuesOf = (worker: WorkerProcess) =>
      worker.messages.flatMap((m) =>
        m['type'] === 'value' && m['key'] === key ? [m['price']] : [],
      );
    const everybodyHas = (price: number) =>
      waitFor(() => [...workers.values()].every((one) => valuesOf(one).at(-1) === price), {
        what: `${price} everywhere`,
      });

    async function seen(what: string, like: (view: ReleaseView) => boolean): Promise<ReleaseView> {
      return waitFor(
        async () => {
          const view = (await operator.releases.get(key))!;
          return like(view) && view;
        },
        { what: `a release that ${what}`, timeoutMs: 40_000, intervalMs: 50 },
      );
    }
    const over = () => seen('is over', ({ ended }) => ended !== null);

    /** Who stopped itself; the others are told not to. */
    async function stopped(): Promise<[string, WorkerProcess]> {
      const after = performance.now() - 1;
      const isIt = (worker: WorkerProcess) =>
        worker.messages.some((m) => m['type'] === 'reached' && m['key'] === key);
      const [id, worker] = await waitFor(() => [...workers].find(([, one]) => isIt(one)), {
        what: 'a controller to come to the point',
        timeoutMs: 30_000,
      });
      await everybody(async (other) => {
        if (other === worker) return;
        other.send({ trap: null });
        await other.message((m) => m['type'] === 'trap' && m['is'] === 'none', { after });
      });
      return [id, worker];
    }

    it('is taken back when its canary is killed as soon as it has applied it', async () => {
      await fleet(null);
      const [[name, canary]] = [...workers] as [[string, WorkerProcess]];
      const options = { labels: { name }, observeMs: 60_000 };
      await operator.releases.start(key, { price: 2 }, options);
      await canary.message((m) => m['key'] === key && m['price'] === 2);
      await canary.kill();
      workers.delete(name);
      const end = await over();
      expect(end).toMatchObject({ state: 'rolled-back', step: 1 });
      expect(end.ended).toBe(`the instance "${name}" vanished without saying that it leaves`);
      for (const worker of workers.values()) expect(valuesOf(worker)).toEqual([1]);
    }, 90_000);

    it.each([
      { type: 'rolling', step: 1, when: 'after' },
      { type: 'archive', step: 0, when: 'after' },
      { type: 'promoted', step: 2, when: 'after' },
    ] as const)(
      'goes on to its right end when its controller is killed $when it writes $type $step',
      async (point) => {
        await fleet({ ...point, signal: 'SIGKILL' });
        // The last one to come is the last one to lead.
        const name = [...workers.keys()].at(-1)!;
        const options = { labels: { name }, steps: [100], observeMs: OBSERVE_MS };
        await operator.releases.start(key, { price: 2 }, options);
        const [id, dead] = await stopped();
        await dead.exit();
        workers.delete(id);
        const end = await over();
        // Whoever has the document and dies is a reason to take it back, be it the controller.
        const isFirst = id === name && point.type === 'rolling' && point.when === 'after';
        const wasCanary = isFirst || point.type === 'archive';
        expect(end.state).toBe(wasCanary ? 'rolled-back' : 'promoted');
        if (wasCanary) expect(end.ended).toContain(`"${id}" vanished`);
        // Whatever was written before the death was written once.
        const course = end.history.map(({ state, step }) => `${state} ${step}`);
        expect(new Set(course).size).toBe(course.length);
        await everybodyHas(wasCanary ? 1 : 2);
        expect(await operator.publisher.history(key)).toHaveLength(wasCanary ? 1 : 2);
      },
      90_000,
    );

    it.each([
      { type: 'rolling', state: 'promoted', price: 2, observeMs: OBSERVE_MS },
      { type: 'promoted', state: 'rolled-back', price: 1, observeMs: 1500 },
    ] as const)(
      'is not changed by a controller that was frozen before it wrote "$type", and wakes up',
      async ({ type, state, price, observeMs }) => {
        await fleet({ type, step: 1, when: 'before', signal: 'SIGSTOP' });
        await operator.releases.start(key, { price: 2 }, { steps: [100], observeMs });
        const [, frozen] = await stopped();
        // Its lease has run out, and others have gone on without it.
        expect((await over()).state).toBe(state);
        const standing = await modRevision();
        frozen.thaw();
        const wrote = await frozen.message((m) => m['key'] === key && m['what'] === type);
        expect(wrote).toMatchObject({ type: 'wrote', succeeded: false });
        await everybodyHas(price);
        expect(await modRevision()).toBe(standing);
      },
      90_000,
    );

    async function modRevision(): Promise<string> {
      const release = Buffer.from(`${NAMESPACE}/config/${key}/live/release`);
      const { kvs } = await operator.instance.client.range({ key: release });
      return kvs[0]!.mod_revision;
    }
  });
});
