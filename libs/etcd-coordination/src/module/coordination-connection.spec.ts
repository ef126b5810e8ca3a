import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import { CoordinationConnection, type ConnectionParts } from './coordination-connection.js';

const NOTICE_MS = 500;

describe('a connection that leaves', () => {
  let clock: VirtualClock;
  let told: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    told = [];
    vi.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
    return () => vi.restoreAllMocks();
  });

  function connectionOf(upUntil: () => number): CoordinationConnection {
    const say = (what: string) => async () => void told.push(what);
    const parts = {
      client: { clock },
      options: {
        connection: 'default',
        client: { timeouts: { registration: 5000 } },
        shutdown: { drainTimeoutMs: 0, noticeMs: NOTICE_MS },
      },
      registry: {
        get upUntil() {
          return upUntil();
        },
        registrations: [{}],
        drainAll: say('drains'),
      },
      probing: { close: say('leaves the probing') },
      config: { releases: { leave: say('leaves releases') } },
      elections: { withdraw: say('withdraws'), handOver: say('hands over') },
      locks: { drain: say('drains locks') },
    };
    return new CoordinationConnection(parts as unknown as ConnectionParts);
  }

  it('says first of all that it drains, and stays until everybody has heard, whatever the drain budget', async () => {
    const drainedAt = clock.now();
    const left = connectionOf(() => drainedAt)
      .leave()
      .then(() => told.push('left'));
    await clock.advance(NOTICE_MS - 1);
    expect(told[0]).toBe('drains');
    expect(told).toContain('hands over');
    expect(told).not.toContain('left');
    await clock.advance(1);
    await left;
    expect(told.at(-1)).toBe('left');
  });

  it.each([-Infinity, 500])('waits for nobody where nobody calls it (up until %i)', async (at) => {
    await connectionOf(() => at).leave();
    // What is registered yet must not be up.
    expect(told[0]).toBe('drains');
    expect(clock.pending).toBe(0);
  });

  it('waits for what is left of the notice where it has drained by itself a moment ago', async () => {
    const left = connectionOf(() => 900)
      .leave()
      .then(() => told.push('left'));
    await clock.advance(NOTICE_MS - 101);
    expect(told).not.toContain('left');
    await clock.advance(1);
    await left;
  });
});
