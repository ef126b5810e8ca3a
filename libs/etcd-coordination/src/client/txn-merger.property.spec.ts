import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { ITxnRequest, ITxnResponse } from 'etcd3';
import { expect, it } from 'vitest';
import type { EtcdClient } from './etcd-client.js';
import { TxnMerger } from './txn-merger.js';

/** A transaction of one key: puts it if it stands as often as that many puts made it. */
interface Step {
  readonly key: string;
  readonly ifVersion: number | null;
  /** It names that one too, which it does not put. */
  readonly also: string | null;
  /** The event loop turns before it is asked for. */
  readonly turns: boolean;
  /** So many requests are answered before it is asked for. */
  readonly answers: number;
}

const keys = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.record({
  key: keys,
  also: fc.option(keys),
  ifVersion: fc.option(fc.nat(3)),
  turns: fc.boolean(),
  answers: fc.nat(2),
});

/** An etcd that applies transactions in the order in which they were sent, and answers them when it is told to. */
class SlowEtcd {
  readonly versions = new Map<string, number>();
  readonly unanswered: (() => void)[] = [];
  readonly sizes: number[] = [];
  private revision = 1;

  txn = (request: ITxnRequest): Promise<ITxnResponse> => {
    const inner = (request.success ?? []).flatMap((one) =>
      'request_txn' in one && one.request_txn ? [one.request_txn] : [],
    );
    const parts = inner.length > 0 ? inner : [request];
    this.sizes.push(parts.length);
    // As etcd does: all comparisons first, and a key is put once at most.
    const met = parts.map((part) => this.isMet(part));
    const keys = parts.flatMap((part, index) => (met[index] ? keysOf(part) : []));
    if (new Set(keys).size < keys.length) return Promise.reject(new Error('duplicate key'));
    for (const key of keys) this.versions.set(key, (this.versions.get(key) ?? 0) + 1);
    this.revision += 1;
    const header = { revision: String(this.revision) };
    const responses = met.map((succeeded) => ({ response_txn: { succeeded, responses: [] } }));
    const answer =
      inner.length > 0 ? { succeeded: true, responses } : { succeeded: met[0], responses: [] };
    return new Promise((resolve) => {
      this.unanswered.push(() => resolve({ header, ...answer } as unknown as ITxnResponse));
    });
  };

  private isMet({ compare = [] }: ITxnRequest): boolean {
    return (compare ?? []).every(
      (one) => (this.versions.get(String(one.key)) ?? 0) === Number(one.version),
    );
  }
}

function keysOf({ success = [] }: ITxnRequest): string[] {
  return (success ?? []).map((one) => String('request_put' in one && one.request_put?.key));
}

function requestOf({ key, ifVersion }: Step): ITxnRequest {
  const comparison = { target: 'Version', result: 'Equal', key: Buffer.from(key) } as const;
  return {
    compare: ifVersion === null ? [] : [{ ...comparison, version: String(ifVersion) }],
    success: [{ request_put: { key: Buffer.from(key), value: Buffer.alloc(0) } }],
    failure: [],
  };
}

/** What each comes to if they are applied one after the other. */
function oneByOne(steps: readonly Step[]) {
  const versions = new Map<string, number>();
  const answers = steps.map(({ key, ifVersion }) => {
    const version = versions.get(key) ?? 0;
    const succeeded = ifVersion === null || ifVersion === version;
    if (succeeded) versions.set(key, version + 1);
    return succeeded;
  });
  return { versions, answers };
}

it('merged in any way come to what they come to one by one', async () => {
  const sizes: number[] = [];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const etcd = new SlowEtcd();
      const merger = new TxnMerger({ txn: etcd.txn } as unknown as EtcdClient, () => 1000);
      const asked: Promise<{ readonly succeeded: boolean; readonly revision: string }>[] = [];
      for (const one of steps) {
        if (one.turns) await turn();
        for (const answer of etcd.unanswered.splice(0, one.answers)) answer();
        asked.push(merger.run(requestOf(one), one.also ? [one.key, one.also] : [one.key]));
      }
      const all = Promise.all(asked);
      while (!(await isSettled(all))) {
        // The last one first: answers come in any order.
        etcd.unanswered.pop()?.();
        await turn();
      }
      const answers = await all;
      const expected = oneByOne(steps);
      expect(answers.map(({ succeeded }) => succeeded)).toEqual(expected.answers);
      expect(etcd.versions).toEqual(expected.versions);
      for (const key of new Set(steps.map((one) => one.key))) {
        const its = answers.filter((_, index) => steps[index]!.key === key);
        const revisions = its.map(({ revision }) => Number(revision));
        // Each got a revision of its own, in their order.
        expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      }
      sizes.push(...etcd.sizes);
    }),
  );
  // Otherwise nothing was proved.
  expect(Math.max(...sizes)).toBeGreaterThan(2);
});

/** Whether it has been answered by now. */
function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), turn().then(() => false)]);
}
