import type { ILeaseKeepAliveResponse } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { StreamHandlers } from '../client/duplex-stream.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { LeaseKeeper } from './lease-keeper.js';

/** A member that answers when the test says so. */
class FakeMember {
  readonly blamed: number[] = [];
  failed(since: number): void {
    this.blamed.push(since);
  }
}

class FakeStream {
  sent = 0;
  over = false;
  constructor(
    readonly endpoint: FakeMember,
    readonly handlers: StreamHandlers<ILeaseKeepAliveResponse>,
  ) {}
  write(): void {
    this.sent += 1;
  }
  cancel(): void {
    this.over = true;
  }
  answer(ttl = '6'): void {
    this.handlers.data({ TTL: ttl } as ILeaseKeepAliveResponse);
  }
  end(): void {
    this.over = true;
    this.handlers.end({ code: 14, details: 'gone', error: new Error('gone') });
  }
}

/** Three members, taken in turn outside of those to avoid. */
class FakeClient {
  readonly options = { timeouts: { heartbeat: 1000 } };
  readonly members = [new FakeMember(), new FakeMember(), new FakeMember()];
  readonly streams: FakeStream[] = [];
  refusing = false;
  asked = 0;

  openStream(
    _: object,
    handlers: StreamHandlers<ILeaseKeepAliveResponse>,
    avoid: ReadonlySet<unknown>,
  ): Promise<FakeStream> {
    this.asked += 1;
    if (this.refusing) return Promise.reject(new Error('refused'));
    const member = this.members.find((m) => !avoid.has(m)) ?? this.members[0]!;
    const stream = new FakeStream(member, handlers);
    this.streams.push(stream);
    return Promise.resolve(stream);
  }
  renewToken(): void {}
}

describe('the keeper of a lease of 6 s', () => {
  let clock: VirtualClock;
  let client: FakeClient;
  let events: string[];
  let keeper: LeaseKeeper;

  beforeEach(() => {
    clock = new VirtualClock(0);
    client = new FakeClient();
    events = [];
    keeper = new LeaseKeeper(client as unknown as EtcdClient, '1', 6000, clock, {
      answered: (at) => events.push(`answered ${at}`),
      missed: () => events.push('missed'),
      gone: () => events.push('gone'),
    });
    keeper.start(0);
  });
  afterEach(() => {
    keeper.stop();
    expect(clock.pending).toBe(0);
    expect(client.streams.filter((stream) => !stream.over)).toEqual([]);
  });

  it('asks every third of the TTL, on one stream, and tells when each question was sent', async () => {
    await clock.advance(1999);
    expect(client.streams).toHaveLength(0);
    await clock.advance(1);
    const [stream] = client.streams;
    await clock.advance(300);
    stream!.answer();
    // From when it was sent, not from its answer.
    await clock.advance(1699);
    expect(stream!.sent).toBe(1);
    await clock.advance(1);
    expect(stream!.sent).toBe(2);
    stream!.answer();
    expect(events).toEqual(['answered 2000', 'answered 4000']);
    expect(client.streams).toHaveLength(1);
  });

  it('asks another member after one missed answer, well within the TTL', async () => {
    await clock.advance(3000);
    expect(events).toEqual(['missed']);
    expect(client.streams.map(({ endpoint }) => client.members.indexOf(endpoint))).toEqual([0, 1]);
    expect(client.members[0]!.blamed).toHaveLength(1);
    client.streams[1]!.answer();
    expect(events).toEqual(['missed', 'answered 3000']);
    expect(client.streams[0]!.over).toBe(true);
    await clock.advance(2000);
    expect(client.streams[1]!.sent).toBe(2);
    client.streams[1]!.answer();
  });

  it('goes through all members before it asks one of them again', async () => {
    await clock.advance(2000 + 5 * 1000);
    expect(client.streams.map(({ endpoint }) => client.members.indexOf(endpoint))).toEqual([
      0, 1, 2, 0, 0, 0,
    ]);
    expect(events).toEqual(Array.from({ length: 5 }, () => 'missed'));
  });

  it('takes the late answer of the first member, for what it is: as old as its question', async () => {
    await clock.advance(3500);
    client.streams[0]!.answer();
    expect(events).toEqual(['missed', 'answered 2000']);
    expect(client.streams[1]!.over).toBe(true);
    // An answer that comes from the one that was left says nothing any more.
    client.streams[1]!.answer();
    expect(events).toHaveLength(2);
    await clock.advance(500);
    expect(client.streams[0]!.sent).toBe(2);
  });

  it('asks another member at once when a stream ends under a question', async () => {
    await clock.advance(2000);
    client.streams[0]!.end();
    await clock.advance(0);
    expect(client.streams).toHaveLength(2);
    client.streams[1]!.answer();
    expect(events).toEqual(['missed', 'answered 2000']);
  });

  it('opens another stream for the next question when a silent one ended', async () => {
    await clock.advance(2000);
    client.streams[0]!.answer();
    client.streams[0]!.end();
    expect(events).toEqual(['answered 2000']);
    await clock.advance(2000);
    expect(client.streams).toHaveLength(2);
    client.streams[1]!.answer();
    expect(events).toEqual(['answered 2000', 'answered 4000']);
  });

  it('pauses between members that all refuse at once', async () => {
    client.refusing = true;
    await clock.advance(12_000);
    expect(client.asked).toBeGreaterThan(10);
    expect(client.asked).toBeLessThan(400);
    client.refusing = false;
    await clock.advance(500);
    client.streams.at(-1)!.answer();
    expect(events.at(-1)).toMatch(/^answered/);
  });

  it('tells that the lease is gone, once, and asks no more', async () => {
    await clock.advance(2000);
    client.streams[0]!.answer('0');
    await clock.advance(20_000);
    expect(events).toEqual(['gone']);
    expect(client.streams[0]!.sent).toBe(1);
  });

  it('says nothing after it was stopped, and drops a stream that opens too late', async () => {
    await clock.advance(1999);
    clock.freeze(1);
    const advancing = clock.advance(0);
    keeper.stop();
    await advancing;
    await settle();
    client.streams[0]?.answer();
    await clock.advance(20_000);
    expect(events).toEqual([]);
  });
});
