import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../../client/clock.js';
import { ClientClosedError } from '../../client/etcd.errors.js';
import type { ProberCandidate, ProberElection } from './prober-election.js';

/** Between two attempts to stand in the election, or to take a doubt back, in milliseconds. */
const RETRY_MS = 10_000;

/**
 * How a prober stands to what it sees:
 * - `sure`: its verdicts count
 * - `stepping aside`: it leaves the election and joins it again at the end, and probes nothing
 * - `doubtful`: it stands there with its doubt, and probes only if everybody else doubts, too
 */
type Confidence = 'sure' | 'stepping aside' | 'doubtful';

/**
 * A prober that is cut off from its instances, and not from etcd, would mark them all down, and for
 * everybody. So one that sees most of them fail at once suspects itself first: it publishes nothing,
 * leaves the election, and joins it again at the end, with its doubt as its candidacy's value. The
 * next one probes, from the verdicts that stand. If it sees the same it knows by that value that it
 * is the second to do so, and publishes. If nobody else stands, the same process looks a second time
 * and then believes it: an instance that is down for good must not be called for ever because
 * there is but one prober.
 *
 * No message, no quorum: two looks from different places, one after the other, and the mark goes with
 * its process's lease. It ends by itself after a span that is long enough for the second look, lest
 * an old doubt count as the first look at something new.
 *
 * Two probers that are both cut off are believed. What is left then is the consumers' own judgement.
 */
export class SelfDoubt {
  private readonly logger = new Logger('ServiceProber');
  private confidence: Confidence = 'sure';
  private closed = false;
  /** Whether etcd shows it among the candidates. */
  private isShown = false;
  private entering: Promise<void> | null = null;
  private cancelTimer: () => void = () => undefined;
  private cancelEntry: () => void = () => undefined;

  constructor(
    private readonly ground: {
      readonly clock: MonotonicClock;
      readonly election: ProberElection;
      readonly instanceId: string;
    },
    /** Told when others may be those who probe. */
    private readonly changed: () => void,
  ) {}

  /** Who may probe, in their order: whoever does not doubt, or, if all do, all of them. */
  probers(candidates: readonly ProberCandidate[]): readonly string[] {
    const { instanceId } = this.ground;
    const isOwn = ({ id }: ProberCandidate) => id === instanceId;
    // What it has just come to doubt itself, etcd may not show yet.
    const sure = candidates.filter(
      (one) => !one.doubts && (this.confidence === 'sure' || !isOwn(one)),
    );
    const all = this.isAside ? candidates.filter((one) => !isOwn(one)) : candidates;
    return (sure.length > 0 ? sure : all).map(({ id }) => id);
  }

  /**
   * Stands in the election, and asks again for as long as that is refused. Resolves with the first
   * answer; never rejects.
   */
  stand(): Promise<void> {
    return (this.entering ??= this.enter().finally(() => (this.entering = null)));
  }

  /** Those whom etcd shows. A candidacy that was refused is over for good, and needs another one. */
  follow(candidates: readonly ProberCandidate[]): void {
    this.isShown = candidates.some(({ id }) => id === this.ground.instanceId);
    if (!this.isShown) void this.stand();
  }

  /** Leaves the probing to others, with a doubt that stands for so long. Never rejects. */
  async stepAside(spanMs: number): Promise<void> {
    this.cancelTimer();
    this.confidence = 'stepping aside';
    this.changed();
    try {
      await this.ground.election.leave();
    } catch (error) {
      if (!this.closed)
        this.logger.warn(`The election of the probers could not be left: ${String(error)}`);
    }
    await this.comeBack(spanMs);
  }

  close(): void {
    this.closed = true;
    this.cancelTimer();
    this.cancelEntry();
  }

  private async enter(): Promise<void> {
    this.cancelEntry();
    // Who steps aside comes back by itself.
    if (this.closed || this.isAside) return;
    try {
      await this.ground.election.join(this.confidence === 'doubtful');
    } catch (error) {
      if (this.isAside || !this.isRefused(error)) return;
    }
    this.lookAfter();
  }

  /** It may have stood, and be over before it was shown: nobody would say so. */
  private lookAfter(): void {
    this.cancelEntry();
    if (this.closed) return;
    const again = () => void (this.isShown || this.stand());
    this.cancelEntry = this.ground.clock.setTimer(again, RETRY_MS, { unref: true });
  }

  /** At the end of the queue, with its doubt. */
  private async comeBack(spanMs: number): Promise<void> {
    if (this.closed) return;
    try {
      await this.ground.election.join(true);
    } catch (error) {
      if (this.isRefused(error)) this.after(RETRY_MS, () => this.comeBack(spanMs));
      return;
    }
    if (this.closed) return;
    this.confidence = 'doubtful';
    this.after(spanMs, () => this.regain());
    this.lookAfter();
    this.changed();
  }

  private get isAside(): boolean {
    return this.confidence === 'stepping aside';
  }

  /** Whether it may be had later; says so. */
  private isRefused(error: unknown): boolean {
    if (this.closed || error instanceof ClientClosedError) return false;
    this.logger.error(
      `This process takes no part in the probing, for it cannot stand in the election of the probers, and asks again every ${RETRY_MS / 1000} s: ${String(error)}`,
    );
    return true;
  }

  private after(delayMs: number, next: () => Promise<void>): void {
    this.cancelTimer = this.ground.clock.setTimer(() => void next(), delayMs, { unref: true });
  }

  private async regain(): Promise<void> {
    try {
      await this.ground.election.join(false);
    } catch {
      // etcd is away, or the candidacy on its way to another lease.
      if (!this.closed && this.confidence === 'doubtful') this.after(RETRY_MS, () => this.regain());
      return;
    }
    if (this.closed || this.confidence !== 'doubtful') return;
    this.confidence = 'sure';
    this.changed();
  }
}
