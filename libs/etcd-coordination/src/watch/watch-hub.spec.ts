import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../client/clock.js';
import type { StreamHandlers } from '../client/duplex-stream.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdUnavailableError } from '../client/etcd.errors.js';
import { grpcFailure } from '../client/grpc-failure.js';
import { singleKey } from './key-range.js';
import { WatchHub } from './watch-hub.js';

describe('when a watch hub opens a stream', () => {
  /** When each was asked for, in milliseconds from the beginning. */
  let opened: number[];
  /** Whether etcd is there. */
  let isUp: boolean;
  let streams: StreamHandlers<unknown>[];
  let began: number;
  let frozenMs: number;
  let asked: unknown[];
  let behind: (bigint | null)[];
  let answer: () => Promise<string>;
  let hub: WatchHub;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    // Jitter's upper end: each pause is as long as it can be.
    vi.spyOn(Math, 'random').mockReturnValue(1);
    [opened, streams, isUp] = [[], [], false];
    [frozenMs, asked, behind] = [0, [], []];
    answer = () => Promise.resolve('70');
    began = performance.now();
    const client = {
      clock: { ...systemClock, now: () => systemClock.now() + frozenMs },
      options: { connection: 'test' },
      isAnswering: () => Promise.resolve(true),
      txn: async (_request: unknown, { endpoint }: { endpoint: unknown }) => {
        asked.push(endpoint);
        if (asked.length === 1) throw new EtcdUnavailableError('KV.txn', 'not yet');
        return { header: { revision: await answer() } };
      },
      openStream: async (_method: unknown, handlers: StreamHandlers<unknown>) => {
        opened.push(performance.now() - began);
        if (!isUp) throw new EtcdUnavailableError('Opening a stream', 'refused');
        streams.push(handlers);
        return {
          ...{ endpoint: 'its member', onCurrentConnection: true },
          ...{ write: () => undefined, cancel: () => undefined },
        };
      },
    };
    hub = new WatchHub(client as unknown as EtcdClient);
    hub.watch(singleKey('k'), null, {
      standing: () => undefined,
      events: () => undefined,
      compacted: () => undefined,
      refused: () => undefined,
      behind: (upTo) => behind.push(upTo),
    });
  });
  afterEach(async () => {
    await hub.close();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** Breaks the stream, and tells how long after that each of the next ones was asked for. */
  async function breakFor(ms: number): Promise<number[]> {
    const [broken, before] = [performance.now() - began, opened.length];
    streams.at(-1)!.end(grpcFailure(new Error('gone')));
    await vi.advanceTimersByTimeAsync(ms);
    return opened.slice(before).map((at) => Math.round(at - broken));
  }

  it('is ever later, up to a second, while none could be opened yet', async () => {
    await vi.advanceTimersByTimeAsync(5_000);
    const pauses = opened.slice(1).map((at, index) => Math.round(at - opened[index]!));
    expect(pauses).toEqual([0, 50, 100, 200, 400, 800, 1000, 1000, 1000]);
  });

  it.each(['a tick', 'an answer'])(
    'asks its member how far behind it is when the process goes on after a freeze, with %s first',
    async (first) => {
      isUp = true;
      await vi.advanceTimersByTimeAsync(1);
      const answer = { watch_id: '1', created: true, events: [], header: { revision: '60' } };
      streams[0]!.data(answer);
      await vi.advanceTimersByTimeAsync(1200);
      expect(behind).toEqual([]);

      frozenMs = 5_000;
      if (first === 'an answer') streams[0]!.data({ ...answer, created: false });
      else await vi.advanceTimersByTimeAsync(500);
      expect(behind[0]).toBeNull();
      await vi.advanceTimersByTimeAsync(100);
      expect(behind).toEqual([null, 70n]);
      expect(asked).toEqual(['its member', 'its member']);
    },
  );

  it('takes no answer of before a freeze for that of after it, and tells a watch that stands since', async () => {
    isUp = true;
    asked.push('so that the next is answered');
    const answers: ((revision: string) => void)[] = [];
    answer = () => new Promise((resolve) => answers.push(resolve));
    await vi.advanceTimersByTimeAsync(1);
    const created = { watch_id: '1', created: true, events: [], header: { revision: '60' } };
    frozenMs = 5_000;
    streams[0]!.data(created);
    expect(behind).toEqual([null]);
    frozenMs = 10_000;
    await vi.advanceTimersByTimeAsync(500);
    expect(behind).toEqual([null, null]);
    answers[0]!('70');
    await vi.advanceTimersByTimeAsync(0);
    expect(behind).toEqual([null, null]);
    answers[1]!('90');
    await vi.advanceTimersByTimeAsync(0);
    expect(behind).toEqual([null, null, 90n]);
  });

  it('is at once after one that had lasted, and ever later from then on', async () => {
    await vi.advanceTimersByTimeAsync(5_000);
    isUp = true;
    await vi.advanceTimersByTimeAsync(1_000 + 2_500);
    expect(streams).toHaveLength(1);
    isUp = false;
    expect(await breakFor(400)).toEqual([0, 50, 150, 350]);
  });

  it('is ever later, too, where each breaks soon after it was opened', async () => {
    // The first could not be opened; the next one is, at once.
    isUp = true;
    await vi.advanceTimersByTimeAsync(0);
    for (const delay of [50, 100, 200, 400, 800]) {
      expect(await breakFor(1_000)).toEqual([delay]);
    }
  });
});
