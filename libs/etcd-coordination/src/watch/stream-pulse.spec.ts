import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { StreamPulse } from './stream-pulse.js';

describe('the pulse of a watch stream', () => {
  let answering: boolean;
  let deaths: number;
  let asked: number;
  let abandoned: number;
  let onCurrentConnection: boolean;
  let pulse: StreamPulse;

  beforeEach(() => {
    vi.useFakeTimers();
    [answering, deaths, asked, abandoned, onCurrentConnection] = [false, 0, 0, 0, true];
    const client = {
      clock: systemClock,
      // A frozen member answers nothing: the question takes its whole time.
      isAnswering: async (_endpoint: unknown, timeoutMs: number) => {
        if (!answering) await new Promise((resolve) => setTimeout(resolve, timeoutMs));
        return answering;
      },
    };
    const stream = {
      endpoint: {},
      get onCurrentConnection() {
        return onCurrentConnection;
      },
      write: () => (asked += 1),
      abandon: () => (abandoned += 1),
    };
    pulse = new StreamPulse(
      client as unknown as EtcdClient,
      stream as unknown as ConstructorParameters<typeof StreamPulse>[1],
      () => (deaths += 1),
    );
  });
  afterEach(() => {
    pulse.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('ends within 4 s of silence, after the stream and then the member were asked', async () => {
    await vi.advanceTimersByTimeAsync(2_000);
    expect([asked, deaths]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([abandoned, deaths]).toEqual([1, 1]);
  });

  it('goes on while anything is heard', async () => {
    for (let second = 0; second < 20; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      pulse.heard();
    }
    expect(deaths).toBe(0);
  });

  it('believes a member that answers to be busy, but not for ever', async () => {
    answering = true;
    await vi.advanceTimersByTimeAsync(8_000);
    expect(deaths).toBe(0);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(deaths).toBe(1);
  });

  it('does not take the answer on another connection for a sign of this one', async () => {
    answering = true;
    onCurrentConnection = false;
    await vi.advanceTimersByTimeAsync(4_000);
    expect(deaths).toBe(1);
  });

  it('does not blame the member for an event loop that was blocked', async () => {
    // A minute passes in which no timer runs, and what came meanwhile is read after that.
    vi.setSystemTime(Date.now() + 60_000);
    await vi.advanceTimersByTimeAsync(500);
    expect([asked, deaths]).toEqual([0, 0]);
  });

  it('says nothing once it is stopped, even in the middle of a question', async () => {
    await vi.advanceTimersByTimeAsync(2_600);
    pulse.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(deaths).toBe(0);
  });
});
