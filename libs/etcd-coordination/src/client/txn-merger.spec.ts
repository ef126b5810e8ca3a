import { setImmediate as turn } from 'node:timers/promises';
import type { ITxnRequest, ITxnResponse } from 'etcd3';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EtcdClient } from './etcd-client.js';
import {
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdRequestError,
  EtcdTimeoutError,
  EtcdUnavailableError,
  RequestTooLargeError,
  WriteOutcomeUnknownError,
} from './etcd.errors.js';
import { TxnMerger } from './txn-merger.js';

/** A transaction that was sent and waits for the test to answer it. */
interface Sent {
  readonly request: ITxnRequest;
  readonly settings: unknown;
  /** The parts of which it was made, by the keys that they put or delete. */
  readonly parts: readonly string[];
  readonly isMerged: boolean;
  answer(revision: number, refused?: readonly string[]): void;
  fail(error: unknown): void;
}

describe('transactions that are asked for at a time', () => {
  let sent: Sent[];
  let merger: TxnMerger;
  let timeoutMs: number;

  beforeEach(() => {
    sent = [];
    const txn = (request: ITxnRequest, settings: unknown) =>
      new Promise<ITxnResponse>((resolve, reject) => {
        sent.push(asSent(request, settings, resolve, reject));
      });
    merger = new TxnMerger({ txn } as unknown as EtcdClient, () => timeoutMs);
    timeoutMs = 700;
  });

  /** One is under way, so that others are merged; it is not counted in what is sent. */
  function busy(): Sent {
    void run('first');
    return sent.pop()!;
  }

  const run = (name: string, ...touches: string[]) => merger.run(putting(name), touches);
  /** They are sent before this, or have to wait for an answer. */
  const partsSent = async () => {
    await turn();
    return sent.map(({ parts }) => parts);
  };
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `k${from + i}`);

  it('are sent at once while none is under way, and the others of that turn behind it', async () => {
    void run('a');
    expect(sent.map(({ parts }) => parts)).toEqual([['a']]);
    for (const name of ['b', 'c']) void run(name);
    expect(sent).toHaveLength(1);
    expect(await partsSent()).toEqual([['a'], ['b', 'c']]);
    for (const one of sent) one.answer(1);
    await turn();
    void run('d');
    expect(sent.map(({ parts }) => parts)).toEqual([['a'], ['b', 'c'], ['d']]);
  });

  describe('while one is under way', () => {
    beforeEach(() => void busy());

    it('are one if they are asked for in one turn of the event loop, its microtasks included', async () => {
      void run('a');
      void Promise.resolve().then(() => run('b'));
      expect(sent).toEqual([]);
      expect(await partsSent()).toEqual([['a', 'b']]);
      void run('c');
      expect(await partsSent()).toEqual([['a', 'b'], ['c']]);
    });

    it('are sent as they are if there is one alone', async () => {
      const request = putting('a');
      void merger.run(request, []);
      await turn();
      expect(sent[0]!.request).toBe(request);
    });

    it('compare nothing but what each of them compares for itself', async () => {
      const [a, b] = [putting('a'), { ...putting('b'), compare: [{ key: Buffer.from('x') }] }];
      void merger.run(a, []);
      void merger.run(b, []);
      await turn();
      const success = [{ request_txn: a }, { request_txn: b }];
      expect(sent[0]!.request).toEqual({ compare: [], success, failure: [] });
    });

    it('are never repeated, and get the time that is given when they are sent', async () => {
      void run('a');
      await turn();
      void run('b');
      void run('c');
      timeoutMs = 800;
      await turn();
      expect(sent.map(({ settings }) => settings)).toEqual([
        { repeatable: false, timeoutMs: 700 },
        { repeatable: false, timeoutMs: 800 },
      ]);
    });

    it('are each answered what came of their own part', async () => {
      const answers = ['a', 'b', 'c'].map((name) => run(name));
      await turn();
      sent[0]!.answer(42, ['b']);
      expect(await Promise.all(answers)).toEqual([
        { succeeded: true, responses: ['of a'], revision: '42' },
        { succeeded: false, responses: ['of b'], revision: '42' },
        { succeeded: true, responses: ['of c'], revision: '42' },
      ]);
    });

    it('are answered with what came of them if they were alone', async () => {
      const [won, lost] = [run('a', 'x'), run('b', 'x')];
      await turn();
      sent[0]!.answer(7);
      sent[1]!.answer(8, ['b']);
      expect(await won).toEqual({ succeeded: true, responses: ['of a'], revision: '7' });
      expect(await lost).toEqual({ succeeded: false, responses: ['of b'], revision: '8' });
    });

    describe('of which some touch the same thing', () => {
      it('keep these apart, and in their order', async () => {
        for (const name of ['a1', 'a2', 'a3']) void run(name, 'a');
        void run('b1', 'b');
        expect(await partsSent()).toEqual([['a1', 'b1'], ['a2'], ['a3']]);
      });

      it('let none overtake one that has to wait for another', async () => {
        void run('a', 'x');
        void run('b', 'x', 'y');
        void run('c', 'y');
        void run('d', 'z');
        expect(await partsSent()).toEqual([['a', 'd'], ['b'], ['c']]);
      });

      it('send those that had to wait before those that came later', async () => {
        for (let i = 0; i < 9; i++) void run(`a${i}`, 'a');
        await turn();
        void run('a9', 'a');
        void run('b');
        for (let i = 0; i < 6; i++) sent[i]!.answer(i + 1);
        await turn();
        expect((await partsSent()).slice(7)).toEqual([['a7', 'b'], ['a8'], ['a9']]);
      });
    });

    it('are 100 in one at most, in the order in which they came', async () => {
      for (const name of many(0, 250)) void run(name);
      expect(await partsSent()).toEqual([many(0, 100), many(100, 200), many(200, 250)]);
    });

    it('leave out nothing and nobody where both limits meet', async () => {
      // The first that is kept back comes before the hundredth that fits, the second after it.
      for (const name of many(0, 60)) void run(name);
      void run('again', 'a');
      void run('once more', 'a');
      for (const name of many(60, 120)) void run(name);
      const [first, second] = await partsSent();
      expect(first).toEqual([...many(0, 60), 'again', ...many(60, 99)]);
      expect(second).toEqual(['once more', ...many(99, 120)]);
    });

    it('are eight at a time, that one included, and wait to be merged while three are under way', async () => {
      const answers = many(0, 9).map((name) => run(name, 'a'));
      expect(await partsSent()).toEqual(many(0, 7).map((name) => [name]));
      // Asked for in three turns; they wait, and come to be one.
      for (const name of ['x', 'y', 'z']) {
        void run(name);
        await turn();
      }
      for (let i = 2; i < 7; i++) sent[i]!.answer(i);
      await answers[6];
      await turn();
      expect(sent).toHaveLength(7);
      sent[0]!.fail(new EtcdTimeoutError('KV.txn', 700));
      await expect(answers[0]).rejects.toMatchObject({ code: 'ETCD_TIMEOUT' });
      await turn();
      expect((await partsSent()).slice(7)).toEqual([['k7', 'x', 'y', 'z'], ['k8']]);
    });

    describe('and of which one is refused', () => {
      const refusals = [
        new EtcdPermissionDeniedError('KV.txn', 'me'),
        new RequestTooLargeError('KV.txn'),
        new EtcdRequestError('KV.txn', 'INVALID_ARGUMENT', 'duplicate key given in txn request'),
      ];

      it.each(refusals)('are sent again one by one: $code', async (refusal) => {
        const answers = ['a', 'b', 'c'].map((name) => run(name));
        await turn();
        sent[0]!.fail(refusal);
        expect(await partsSent()).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']]);
        expect(sent.map(({ isMerged }) => isMerged)).toEqual([true, false, false, false]);
        sent[1]!.answer(11);
        sent[2]!.fail(refusal);
        sent[3]!.answer(12, ['c']);
        expect(await Promise.allSettled(answers)).toEqual([
          {
            status: 'fulfilled',
            value: expect.objectContaining({ succeeded: true, revision: '11' }),
          },
          { status: 'rejected', reason: refusal },
          {
            status: 'fulfilled',
            value: expect.objectContaining({ succeeded: false, revision: '12' }),
          },
        ]);
        expect(sent).toHaveLength(4);
      });

      it('are not sent again if they put a key that a full database may have taken; deletions are', async () => {
        const full = new EtcdNoSpaceError('KV.txn');
        const put = run('a');
        const deletion = { request_delete_range: { key: Buffer.from('b') } };
        const gone = merger.run({ compare: [], success: [deletion], failure: [] }, []);
        await turn();
        sent[0]!.fail(full);
        await expect(put).rejects.toBe(full);
        await turn();
        expect(sent).toHaveLength(2);
        expect(sent[1]!.request.success).toEqual([deletion]);
        sent[1]!.answer(11);
        expect(await gone).toMatchObject({ revision: '11', repeated: true });
      });

      it('count as under way until each has been answered', async () => {
        const answers = ['a', 'b'].map((name) => run(name));
        for (const name of ['1', '2', '3', '4', '5', '6', '7']) void run(name, 'x');
        void run('8', 'x').catch(() => undefined);
        expect((await partsSent()).map(([first]) => first)).toEqual([
          'a',
          '2',
          '3',
          '4',
          '5',
          '6',
          '7',
        ]);
        for (let i = 1; i < 6; i++) sent[i]!.answer(i);
        sent[0]!.fail(refusals[0]);
        await turn();
        sent[7]!.answer(1);
        sent[8]!.answer(2);
        await Promise.all(answers);
        expect((await partsSent()).slice(7)).toEqual([['a'], ['b'], ['1']]);
        sent[9]!.answer(3);
        await turn();
        expect((await partsSent()).slice(10)).toEqual([['8']]);
      });
    });

    const failures = [
      new WriteOutcomeUnknownError('KV.txn', 'the connection broke'),
      new EtcdUnavailableError('KV.txn', 'nothing listens'),
      new EtcdTimeoutError('KV.txn', 700),
      new EtcdRequestError('KV.txn', 'INTERNAL', 'out of order'),
    ];

    it.each(failures)('fail together, and are not sent again: $code', async (error) => {
      const answers = ['a', 'b', 'c'].map((name) => run(name));
      await turn();
      sent[0]!.fail(error);
      const all = await Promise.allSettled(answers);
      expect(all).toEqual(answers.map(() => ({ status: 'rejected', reason: error })));
      expect(await partsSent()).toEqual([['a', 'b', 'c']]);
    });

    it('are not sent again if one was alone and refused', async () => {
      const refusal = new EtcdPermissionDeniedError('KV.txn', 'me');
      const answer = run('a');
      await turn();
      sent[0]!.fail(refusal);
      await expect(answer).rejects.toBe(refusal);
      expect(await partsSent()).toEqual([['a']]);
    });
  });
});

function putting(name: string): ITxnRequest {
  const request_put = { key: Buffer.from(name), value: Buffer.alloc(0) };
  return { compare: [], success: [{ request_put }], failure: [] };
}

function asSent(
  request: ITxnRequest,
  settings: unknown,
  resolve: (response: ITxnResponse) => void,
  reject: (error: unknown) => void,
): Sent {
  const nested = request.success!.flatMap(({ request_txn }) => request_txn ?? []);
  const isMerged = nested.length > 0;
  const parts = (isMerged ? nested : [request]).map(({ success }) =>
    String((success![0]!.request_put ?? success![0]!.request_delete_range)!.key),
  );
  const answer = (revision: number, refused: readonly string[] = []) => {
    const answers = parts.map((name) => ({
      succeeded: !refused.includes(name),
      responses: [`of ${name}`],
    }));
    const header = { revision: `${revision}` };
    const responses = answers.map((response_txn) => ({ response_txn }));
    const whole = isMerged ? { succeeded: true, responses } : answers[0]!;
    resolve({ header, ...whole } as unknown as ITxnResponse);
  };
  return { request, settings, parts, isMerged, answer, fail: reject };
}
