import type { ITxnRequest, ITxnResponse } from 'etcd3';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { CallSettings } from '../client/caller.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdTimeoutError, WriteOutcomeUnknownError } from '../client/etcd.errors.js';
import { CommitMarks } from './commit-marks.js';
import { Committer, type CommitPlan } from './committer.js';
import { FenceGuard } from './fence-guard.js';

const WRITE_MS = 1000;
const PLAN: CommitPlan = {
  ...{ what: 'a write', compare: [], reads: [] },
  writes: [{ key: Buffer.from('key'), name: 'key', value: Buffer.from('x'), lease: null }],
};
const APPLIED = { succeeded: true, header: { revision: '7' }, responses: [] };

type Call = (request: ITxnRequest, settings: CallSettings) => Promise<unknown>;

/** Commits a write at an etcd that is played; `take` lets the time pass that a call was given. */
function commit(txn: (isWrite: boolean, take: () => Promise<void>) => Promise<unknown>) {
  const clock = new VirtualClock();
  const given: { readonly isWrite: boolean; readonly ms: number }[] = [];
  const play: Call = async (_, { repeatable, timeoutMs }) => {
    const call = { isWrite: repeatable === false, ms: timeoutMs! };
    given.push(call);
    return txn(call.isWrite, async () => clock.freeze(call.ms));
  };
  const client = {
    clock,
    endpoints: ['http://127.0.0.1:1'],
    options: {
      timeouts: { write: WRITE_MS },
      retry: { maxAttempts: 3, initialDelayMs: 0, maxDelayMs: 0 },
    },
    txn: play as unknown as (request: ITxnRequest) => Promise<ITxnResponse>,
  } as unknown as EtcdClient;
  const started = clock.now();
  const committed = new Committer(client, new CommitMarks(client, 'app'), undefined)
    .commit(PLAN, FenceGuard.none)
    .catch((error: unknown) => error);
  const ticking = setInterval(() => void clock.advance(1), 0);
  return committed.then((outcome) => {
    clearInterval(ticking);
    return { outcome, given, tookMs: clock.now() - started };
  });
}

it('gives a request the time of a plain put, and all of it together twice that', async () => {
  const { outcome, given, tookMs } = await commit(async (isWrite, take) => {
    await take();
    throw isWrite
      ? new WriteOutcomeUnknownError('KV.txn', 'no answer')
      : new EtcdTimeoutError('KV.txn', 1);
  });
  expect(outcome).toBeInstanceOf(WriteOutcomeUnknownError);
  expect(given[0]).toEqual({ isWrite: true, ms: WRITE_MS });
  expect(given[1]!.isWrite).toBe(false);
  expect(given[1]!.ms).toBeGreaterThan(WRITE_MS * 0.9);
  expect(tookMs).toBeLessThanOrEqual(2 * WRITE_MS + 10);
});

it('has time to send it again, after a request that a frozen member has swallowed', async () => {
  let writes = 0;
  const { outcome, tookMs } = await commit(async (isWrite, take) => {
    if (!isWrite) return APPLIED;
    writes += 1;
    if (writes === 2) return APPLIED;
    await take();
    throw new WriteOutcomeUnknownError('KV.txn', 'no answer');
  });
  expect(outcome).toEqual({ applied: true, revision: 7n });
  expect(tookMs).toBeLessThan(2 * WRITE_MS);
});
