import { Logger } from '@nestjs/common';
import type { ITxnRequest } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_TIMEOUTS } from '../client/client-options.js';
import {
  EtcdPermissionDeniedError,
  EtcdTimeoutError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { systemClock } from '../client/clock.js';
import { SessionLease } from '../session/session-lease.js';
import { Candidacy, type CandidacyGround } from './candidacy.js';
import { decodeRecord } from './candidate-record.js';
import type { ElectionView, Standing } from './election-view.js';
import type { OwnTerm } from './own-term.js';

/** One key in an etcd that answers as the test says. */
class FakeEtcd {
  /** What the candidate's key holds, or null. */
  stored: { value: Buffer; revision: number } | null = null;
  /** What was asked, as `put`, `change` or `delete`. */
  readonly asked: string[] = [];
  /** Runs before a request is applied; what it throws is the answer, and nothing is applied. */
  before: (what: string) => unknown = () => undefined;
  private revision = 10;

  async txn({ compare, success }: ITxnRequest) {
    const operation = success![0]!;
    const entering = compare![0]!.target === 'Create' && compare![0]!.create_revision === '0';
    const what = operation.request_put ? (entering ? 'put' : 'change') : 'delete';
    this.asked.push(what);
    await this.before(what);
    const succeeded = entering ? this.stored === null : this.stored !== null;
    if (!succeeded) return this.answer(false);
    this.revision += 1;
    if (what === 'delete') this.stored = null;
    else {
      const revision = this.stored?.revision ?? this.revision;
      this.stored = { value: operation.request_put!.value as Buffer, revision };
    }
    return this.answer(true);
  }

  /** What the candidate says of itself. */
  get value(): string | undefined {
    return this.stored ? decodeRecord(this.stored.value).value : undefined;
  }

  private answer(succeeded: boolean) {
    const kvs = this.stored
      ? [{ value: this.stored.value, create_revision: `${this.stored.revision}` }]
      : [];
    const responses = succeeded ? [] : [{ response_range: { kvs } }];
    return { succeeded, header: { revision: `${this.revision}` }, responses };
  }
}

/** A view that shows what the test says. */
class FakeView {
  error: Error | null = null;
  private place: Standing = 'waiting';
  private readonly listeners = new Set<() => void>();

  ready(): Promise<void> {
    return this.error ? Promise.reject(this.error) : Promise.resolve();
  }

  standing(): Standing {
    return this.place;
  }

  orphanAhead(): null {
    return null;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  show(place: Standing): void {
    this.place = place;
    for (const listener of this.listeners) listener();
  }
}

describe('a candidacy', () => {
  let etcd: FakeEtcd;
  let view: FakeView;
  let lease: SessionLease;
  let elected: OwnTerm[];
  let ended: OwnTerm[];
  let ground: CandidacyGround;
  let onElected: (term: OwnTerm) => void;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    Logger.overrideLogger(false);
    etcd = new FakeEtcd();
    view = new FakeView();
    lease = new SessionLease('255', 60_000, performance.now(), systemClock, () => undefined);
    [elected, ended] = [[], []];
    onElected = () => undefined;
    let sequence = 0;
    const client = Object.assign(etcd, {
      clock: systemClock,
      options: { timeouts: DEFAULT_TIMEOUTS },
    });
    ground = {
      client: client as unknown as CandidacyGround['client'],
      namespace: 'ns',
      election: 'e',
      instanceId: 'me',
      session: {
        ready: () => (lease.isValid() ? Promise.resolve(lease) : new Promise(() => undefined)),
        reportGone: () => lease.end('gone'),
      } as unknown as CandidacyGround['session'],
      view: view as unknown as ElectionView,
      nextSequence: () => (sequence += 1),
      elected: (term) => {
        elected.push(term);
        onElected(term);
      },
      ended: (term) => ended.push(term),
    };
  });
  afterEach(() => {
    vi.useRealTimers();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  const stand = (oneTerm = false, value = '') => new Candidacy(ground, value, oneTerm);

  /** Its key stands, and it follows the election. */
  async function standing(candidacy: Candidacy): Promise<void> {
    await candidacy.stands;
    await vi.waitUntil(() => candidacy.state === 'waiting');
  }

  it('ends its term when the one who is told of the win resigns at once', async () => {
    onElected = (term) => void term.resign();
    const candidacy = stand(true);
    await standing(candidacy);
    view.show('first');
    await candidacy.whenLeft();
    expect(elected).toHaveLength(1);
    expect(ended).toEqual(elected);
    expect(elected[0]!.signal.reason).toMatchObject({ reason: 'resigned' });
    expect(etcd.stored).toBeNull();
  });

  it('ends its term when the one who is told of the win leaves at once', async () => {
    const candidacy = stand();
    onElected = () => void candidacy.leave('left');
    await standing(candidacy);
    view.show('first');
    await candidacy.whenLeft();
    expect(elected.map((term) => term.isValid())).toEqual([false]);
    expect(ended).toEqual(elected);
    expect(elected[0]!.signal.reason).toMatchObject({ reason: 'left' });
  });

  it('ends its term when the lease turns out to be over while the win is told', async () => {
    onElected = () => lease.end('expired');
    const candidacy = stand(true);
    await standing(candidacy);
    view.show('first');
    await candidacy.whenLeft();
    expect(ended).toEqual(elected);
    expect(elected[0]!.signal.reason).toMatchObject({ reason: 'session-lost' });
  });

  it('tells of the end of its term before the key is deleted', async () => {
    const candidacy = stand();
    await standing(candidacy);
    view.show('first');
    const [term] = elected;
    let aborted: boolean | undefined;
    etcd.before = (what) => {
      if (what === 'delete') aborted = term!.signal.aborted;
    };
    await candidacy.leave('left');
    expect(aborted).toBe(true);
  });

  it('puts a value that was proclaimed while its entry was on its way', async () => {
    etcd.before = (what) => {
      if (what === 'put') void candidacy.proclaim('new');
    };
    const candidacy = stand(false, 'old');
    await candidacy.stands;
    expect(etcd.value).toBe('new');
  });

  it('puts a value again whose first proclamation failed', async () => {
    const candidacy = stand(false, 'old');
    await standing(candidacy);
    etcd.before = () => {
      throw new EtcdTimeoutError('KV.txn', 5000);
    };
    await expect(candidacy.proclaim('new')).rejects.toMatchObject({ code: 'ETCD_TIMEOUT' });
    etcd.before = () => undefined;
    await candidacy.proclaim('new');
    expect(etcd.value).toBe('new');
  });

  it('ends with the last value when two are proclaimed at once', async () => {
    const candidacy = stand(false, 'a');
    await standing(candidacy);
    let first = true;
    etcd.before = async () => {
      // The first one is slow.
      if (first) await ((first = false), vi.advanceTimersByTimeAsync(10), Promise.resolve());
    };
    await Promise.all([candidacy.proclaim('b'), candidacy.proclaim('c')]);
    expect(etcd.value).toBe('c');
  });

  it('deletes a key whose entry is applied after it was given up', async () => {
    etcd.before = (what) => {
      if (what === 'put') throw new WriteOutcomeUnknownError('KV.txn', 'lost');
    };
    const candidacy = stand();
    await vi.waitUntil(() => etcd.asked.length > 0);
    await candidacy.leave('left');
    expect(etcd.asked.at(-1)).toBe('delete');
    etcd.stored = { value: Buffer.from('{}'), revision: 99 };
    await vi.advanceTimersByTimeAsync(10_000);
    expect(etcd.stored).toBeNull();
    expect(elected).toEqual([]);
  });

  it('leaves no timer behind when the lease ends with it', async () => {
    etcd.before = (what) => {
      if (what === 'put') throw new WriteOutcomeUnknownError('KV.txn', 'lost');
      lease.end('closed');
    };
    const candidacy = stand();
    await vi.waitUntil(() => etcd.asked.length > 0);
    await candidacy.leave('left');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets work resign that a shutdown waits for, without waiting for each other', async () => {
    const candidacy = stand();
    await standing(candidacy);
    view.show('first');
    const [term] = elected;
    let drained: boolean | undefined;
    void term!.track(
      new Promise<void>((resolve) => {
        term!.signal.addEventListener('abort', () => void term!.resign().then(resolve));
      }),
    );
    await candidacy.leave('shutdown', async (own) => (drained = await own.drained(60_000)));
    expect(drained).toBe(true);
    expect(vi.getTimerCount()).toBe(1); // the lease's own
  });

  it('does not hold a shutdown up that comes after it was left, when etcd is away', async () => {
    const candidacy = stand();
    await standing(candidacy);
    etcd.before = () => {
      throw new EtcdTimeoutError('KV.txn', 5000);
    };
    void candidacy.leave('left');
    await vi.waitUntil(() => etcd.asked.includes('delete'));
    const left = candidacy.leave('shutdown');
    await vi.advanceTimersByTimeAsync(2_000);
    await left;
    expect(lease.isValid()).toBe(true);
  });

  it('leaves, and ends its term, when etcd no longer shows it the election', async () => {
    const candidacy = stand();
    await standing(candidacy);
    view.show('first');
    view.error = new EtcdPermissionDeniedError('A watch', 'me');
    view.show('first');
    expect(elected[0]!.isValid()).toBe(false);
    await candidacy.whenLeft();
    expect(candidacy.state).toBe('left');
    expect(etcd.stored).toBeNull();
  });

  it('does not stand if it may not write', async () => {
    etcd.before = () => {
      throw new EtcdPermissionDeniedError('KV.txn', 'me');
    };
    const candidacy = stand();
    await expect(candidacy.stands).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
    expect(candidacy.isEnding).toBe(true);
  });
});
