import type { ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3';
import type { DuplexStream } from '../client/duplex-stream.js';
import type { Endpoint } from '../client/endpoint.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { isStaleToken } from '../client/grpc-failure.js';
import { retryDelay } from '../client/retry-delay.js';
import type { MonotonicClock } from '../client/clock.js';

type KeepAliveStream = DuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;

/** What becomes of the keepalives. */
export interface KeeperEvents {
  /** A keepalive sent at that moment of the clock was answered. */
  answered(sentAt: number): void;
  /** A keepalive was not answered in time; another member is asked. */
  missed(): void;
  /** etcd knows no such lease. */
  gone(): void;
}

/** A timer that fires later than this was held up by the event loop, and so may be the answer. */
const HELD_UP_MS = 50;

/** Pauses between members that refuse at once. */
const REFUSED = { initialDelayMs: 50, maxDelayMs: 500 };

/** A keepalive under way on a stream of its own or on the standing one. */
interface Beat {
  readonly sentAt: number;
  stream: KeepAliveStream | null;
  /** It was given a little longer, because this process was late, not the member. */
  excused?: boolean;
}

/**
 * Keeps one lease alive: a keepalive every third of its TTL on a standing stream. One
 * that is not answered in time is sent to another member at once, while the first may
 * still answer: a slow member is as good as its answer, and a frozen one costs a
 * fail-over, not the lease.
 */
export class LeaseKeeper {
  private readonly intervalMs: number;
  private readonly patienceMs: number;
  private standing: KeepAliveStream | null = null;
  private beats: Beat[] = [];
  private readonly tried = new Set<Endpoint>();
  private refusals = 0;
  private stopped = false;
  private cancelTimer: () => void = () => undefined;

  constructor(
    private readonly client: EtcdClient,
    private readonly leaseId: string,
    ttlMs: number,
    private readonly clock: MonotonicClock,
    private readonly events: KeeperEvents,
  ) {
    this.intervalMs = ttlMs / 3;
    // Within a TTL there must be room for a missed answer and for several members' more.
    this.patienceMs = Math.min(client.options.timeouts.heartbeat, ttlMs / 4);
  }

  /** Begins; the grant, sent at `grantedAt`, counts as the first answered keepalive. */
  start(grantedAt: number): void {
    this.scheduleBeat(grantedAt);
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer();
    this.dropStreams(null);
  }

  private scheduleBeat(lastSentAt: number): void {
    const delay = Math.max(0, lastSentAt + this.intervalMs - this.clock.now());
    this.setTimer(() => this.beat(), delay);
  }

  private beat(): void {
    const beat: Beat = { sentAt: this.clock.now(), stream: this.standing };
    this.beats.push(beat);
    this.setTimer(() => this.miss(), this.patienceMs);
    if (beat.stream) this.send(beat.stream);
    else void this.openFor(beat);
  }

  private async openFor(beat: Beat): Promise<void> {
    try {
      const stream: KeepAliveStream = await this.client.openStream(
        { service: 'Lease', method: 'leaseKeepAlive' },
        {
          data: (response) => this.answer(stream, response),
          end: (failure) => {
            if (isStaleToken(failure)) this.client.renewToken();
            this.streamEnded(stream);
          },
        },
        this.tried,
      );
      if (this.stopped || !this.beats.includes(beat)) return stream.cancel();
      beat.stream = stream;
      this.standing = stream;
      this.tried.add(stream.endpoint);
      this.send(stream);
    } catch {
      if (!this.stopped && this.beats.includes(beat)) this.refused(beat);
    }
  }

  private send(stream: KeepAliveStream): void {
    stream.write({ ID: this.leaseId });
  }

  private answer(stream: KeepAliveStream, response: ILeaseKeepAliveResponse): void {
    // A stream has one keepalive under way at most, so this answers that one.
    const beat = this.beats.find((b) => b.stream === stream);
    if (!beat) return;
    if (Number(response.TTL) <= 0) {
      this.stop();
      this.events.gone();
      return;
    }
    this.dropStreams(stream);
    this.beats = [];
    this.tried.clear();
    this.refusals = 0;
    this.standing = stream;
    this.events.answered(beat.sentAt);
    if (!this.stopped) this.scheduleBeat(beat.sentAt);
  }

  /** No answer in time: the member is suspect, and another one is asked at once. */
  private miss(): void {
    const beat = this.beats.at(-1);
    if (beat && !beat.excused && this.clock.now() - beat.sentAt > this.patienceMs + HELD_UP_MS) {
      beat.excused = true;
      this.setTimer(() => this.miss(), HELD_UP_MS);
      return;
    }
    if (beat?.stream) {
      this.tried.add(beat.stream.endpoint);
      beat.stream.endpoint.failed(this.clock.now() - this.patienceMs);
    }
    this.standing = null;
    this.events.missed();
    if (!this.stopped) this.beat();
  }

  private streamEnded(stream: KeepAliveStream): void {
    if (this.stopped) return;
    if (this.standing === stream) this.standing = null;
    const beat = this.beats.find((b) => b.stream === stream);
    if (beat) this.refused(beat);
  }

  /** A member said no at once: another one is asked soon, without waiting for the miss. */
  private refused(beat: Beat): void {
    const wasLast = this.beats.at(-1) === beat;
    this.beats = this.beats.filter((b) => b !== beat);
    if (!wasLast) return;
    this.events.missed();
    if (this.stopped) return;
    this.refusals += 1;
    const delay = this.refusals === 1 ? 0 : retryDelay(this.refusals, REFUSED);
    this.setTimer(() => this.beat(), delay);
  }

  private dropStreams(kept: KeepAliveStream | null): void {
    for (const { stream } of this.beats) if (stream && stream !== kept) stream.cancel();
    if (this.standing && this.standing !== kept) this.standing.cancel();
  }

  private setTimer(callback: () => void, delayMs: number): void {
    this.cancelTimer();
    this.cancelTimer = this.clock.setTimer(callback, delayMs);
  }
}
