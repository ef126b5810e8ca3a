import { Logger } from '@nestjs/common';
import type { ITxnRequest } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../../../../test/support/virtual-clock.js';
import type { Vote } from './fleet-records.js';
import { FlipLog } from './flip-log.js';
import type { SwitchGround } from './switch-ground.js';
import { VoteKeeper } from './vote-keeper.js';

const ON: Vote = { state: 'on', why: null };

/** What a put and a deletion come to here. */
interface Answers {
  put: 'answered' | 'lost';
  deletion: 'answered' | 'refused' | Promise<void>;
}

describe('the vote of an instance', () => {
  let clock: VirtualClock;
  let stands: string | null;
  let log: string[];
  let answers: Answers;
  let keeper: VoteKeeper;

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new VirtualClock();
    [stands, log, answers] = [null, [], { put: 'answered', deletion: 'answered' }];
    const lease = { id: '7', isValid: () => true, signal: new AbortController().signal };
    const client = {
      clock,
      range: async () => ({ kvs: stands === null ? [] : [{ mod_revision: '5' }] }),
      txn: async ({ compare, success }: ITxnRequest) => {
        const put = success!.find(({ request_put }) => request_put)?.request_put;
        if (put) {
          stands = put.value!.toString();
          log.push(`put${compare!.length > 0 ? ' as the first' : ''}`);
          if (answers.put === 'lost') throw new Error('no answer');
        } else {
          if (answers.deletion === 'refused') throw new Error('no leader');
          if (answers.deletion !== 'answered') await answers.deletion;
          stands = null;
          log.push('delete');
        }
        return { header: { revision: '9' }, succeeded: true, responses: [] };
      },
    };
    const session = { ready: async () => lease, reportGone: () => undefined };
    const ground = { client, session, namespace: 'shop', instanceId: 'orders-1' };
    const flips = new FlipLog(client as never, 'shop', 'x');
    keeper = new VoteKeeper(ground as unknown as SwitchGround, 'x', flips);
  });
  afterEach(async () => {
    await keeper.stop();
    vi.restoreAllMocks();
  });

  it('is put, and taken back', async () => {
    keeper.say(ON, null);
    await clock.advance(0);
    expect(stands).toBe(JSON.stringify(ON));
    keeper.withdraw();
    await clock.advance(0);
    expect(stands).toBeNull();
    expect(log).toEqual(['put as the first', 'delete']);
  });

  it('is put again when it is gone, and not for what was seen before it was put', async () => {
    keeper.say(ON, null);
    await clock.advance(0);
    keeper.missed(8n);
    await clock.advance(0);
    expect(log).toEqual(['put as the first']);
    stands = null;
    keeper.missed(9n);
    await clock.advance(0);
    expect(stands).toBe(JSON.stringify(ON));
    expect(log).toEqual(['put as the first', 'put']);
  });

  it('is taken back although the answer to its only put was lost', async () => {
    answers.put = 'lost';
    keeper.say(ON, null);
    await clock.advance(0);
    keeper.withdraw();
    await clock.advance(2000);
    expect(log).toContain('put as the first');
    expect(stands).toBeNull();
  });

  it('is taken back as soon as etcd lets it', async () => {
    keeper.say(ON, null);
    await clock.advance(0);
    answers.deletion = 'refused';
    keeper.withdraw();
    await clock.advance(10_000);
    expect(stands).not.toBeNull();
    answers.deletion = 'answered';
    await clock.advance(2000);
    expect(stands).toBeNull();
  });

  it('of the next rule comes after the old one is taken back', async () => {
    keeper.say(ON, null);
    await clock.advance(0);
    let answer: () => void = () => undefined;
    answers.deletion = new Promise((resolve) => (answer = resolve));
    keeper.withdraw();
    await clock.advance(0);
    keeper.say({ ...ON }, null);
    await clock.advance(5000);
    answer();
    await clock.advance(0);
    expect(log).toEqual(['put as the first', 'delete', 'put as the first']);
    expect(stands).not.toBeNull();
  });
});
