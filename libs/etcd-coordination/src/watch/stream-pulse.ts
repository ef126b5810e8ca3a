import type { IWatchRequest, IWatchResponse } from 'etcd3';
import { every } from '../client/clock.js';
import type { DuplexStream } from '../client/duplex-stream.js';
import type { EtcdClient } from '../client/etcd-client.js';

const TICK_MS = 500;
/** Silent for this many ticks, the stream is asked for a sign of life. */
const ASK_AFTER = 3;
/** Silent for this many all the same, what may keep it from an answer is put out of the way. */
const BEGIN_AGAIN_AFTER = 4;
/** Without word of progress for this many, it is asked too: events of one watch say nothing of the others. */
const ASK_FOR_PROGRESS_AFTER = 10;
/** Silent for this many, the member itself is asked. */
const PROBE_AFTER = 5;
const PROBE_TIMEOUT_MS = 1000;
/** A member that answers while its stream stays silent is believed to be busy catching up this often. */
const PATIENCE = 4;
/** Without a sign of this process itself for so long, it was frozen or its event loop blocked. */
const STOOD_STILL_MS = 2 * TICK_MS;

/**
 * Notices within 4 s that the member behind a watch stream is dead, although nothing on it says so: its
 * member is frozen, or the connection is cut without a word. Ticks are counted, rather
 * than time, so that an event loop which was blocked does not blame the member.
 */
export class StreamPulse {
  private silentTicks = 0;
  private ticksWithoutProgress = 0;
  private believed = 0;
  private probing = false;
  private stopped = false;
  /** When this process last did something here, on the monotonic clock. */
  private beatAt: number;
  private readonly cancelTimer: () => void;

  constructor(
    private readonly client: EtcdClient,
    private readonly stream: DuplexStream<IWatchRequest, IWatchResponse>,
    private readonly dead: () => void,
    /** This process stood still: what comes now may have been on its way since long ago. */
    private readonly stoodStill: () => void = () => undefined,
    /** It has not answered at once, as a stream does that has nothing else to tell. */
    private readonly unanswered: () => void = () => undefined,
  ) {
    this.beatAt = client.clock.now();
    this.cancelTimer = every(client.clock, TICK_MS, () => this.tick());
  }

  /** Something came over the stream. */
  heard(): void {
    this.beat();
    this.silentTicks = 0;
    this.believed = 0;
  }

  /** The member said that there is nothing new. */
  progressed(): void {
    this.ticksWithoutProgress = 0;
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer();
  }

  private beat(): void {
    const now = this.client.clock.now();
    const gapMs = now - this.beatAt;
    this.beatAt = now;
    if (gapMs > STOOD_STILL_MS) this.stoodStill();
  }

  private tick(): void {
    this.beat();
    this.silentTicks += 1;
    this.ticksWithoutProgress += 1;
    const overdue = this.ticksWithoutProgress % ASK_FOR_PROGRESS_AFTER === 0;
    if (this.silentTicks === ASK_AFTER || overdue) this.stream.write({ progress_request: {} });
    if (this.silentTicks === BEGIN_AGAIN_AFTER) this.unanswered();
    if (this.silentTicks >= PROBE_AFTER && !this.probing) void this.probe();
  }

  /**
   * etcd answers a progress request only when every watch of the stream has caught up, so
   * a silent stream may be a busy one.
   */
  private async probe(): Promise<void> {
    this.probing = true;
    const answering =
      this.believed < PATIENCE &&
      this.stream.onCurrentConnection &&
      (await this.client.isAnswering(this.stream.endpoint, PROBE_TIMEOUT_MS));
    this.probing = false;
    if (this.stopped || this.silentTicks < PROBE_AFTER) return;
    if (answering && this.stream.onCurrentConnection) {
      this.believed += 1;
      this.silentTicks = 0;
      return;
    }
    this.stop();
    this.stream.abandon();
    this.dead();
  }
}
