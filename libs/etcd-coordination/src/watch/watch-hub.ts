import { Logger } from '@nestjs/common';
import type { IWatchRequest, IWatchResponse } from 'etcd3';
import { pause } from '../client/clock.js';
import type { DuplexStream } from '../client/duplex-stream.js';
import type { Endpoint } from '../client/endpoint.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  ClientClosedError,
  EtcdAuthenticationError,
  EtcdPermissionDeniedError,
  EtcdRequestError,
} from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { isStaleToken, type GrpcFailure } from '../client/grpc-failure.js';
import { retryDelay } from '../client/retry-delay.js';
import { rangeHolds, type KeyRange } from './key-range.js';
import { RangeWatch, type RangeWatchHandlers } from './range-watch.js';
import { StreamPulse } from './stream-pulse.js';
import type { WatchStatus } from './watch-status.js';

type WatchStream = DuplexStream<IWatchRequest, IWatchResponse>;

const RECONNECT = { initialDelayMs: 50, maxDelayMs: 1000 };

/** A stream that lasted this long was a good one: the next is opened at once. */
const STEADY_MS = 2000;

/** How often a refused watch is tried again under a new token before the refusal stands. */
const TOKEN_RENEWALS = 2;

/**
 * All watches of a connection, on one shared stream to one member. When the member
 * fails, freezes or falls into a minority the stream moves to another one, and every
 * watch goes on from its own last event.
 */
export class WatchHub {
  private readonly logger = new Logger(WatchHub.name);
  /** In the order in which they were asked for. */
  private readonly watches = new Set<RangeWatch>();
  /** Those told to the present stream, and by which id. */
  private readonly byId = new Map<string, RangeWatch>();
  /** Those whose creation the present stream has yet to answer; etcd answers in order. */
  private unanswered: RangeWatch[] = [];
  private stream: WatchStream | null = null;
  private pulse: StreamPulse | null = null;
  private opening = false;
  /** The freeze of this process after which the stream's member has yet to say where it is. */
  private standstill: symbol | null = null;
  /** Streams in a row that broke soon after they were opened, or were not. */
  private failures = 0;
  private openedAt = -Infinity;
  private failedEndpoint: Endpoint | null = null;
  /**
   * Whether large answers are to come in parts, which show that the stream is alive. etcd's
   * work for that grows with the square of the number of events in an answer, so a long history of small
   * events would never come: a stream that fell silent is followed by one of the other kind.
   */
  private fragmenting = true;
  private warnedOfLogin = false;
  private cancelRetry: (() => void) | null = null;
  private closed = false;

  constructor(private readonly client: EtcdClient) {}

  /**
   * Watches a range from `startRevision` on, or from now on if it is null. Lasts until it
   * is cancelled, compacted or refused.
   */
  watch(
    range: KeyRange,
    startRevision: bigint | null,
    handlers: RangeWatchHandlers,
  ): { cancel(): void } {
    const watch = new RangeWatch(range, startRevision, handlers);
    if (this.closed) {
      handlers.refused(new ClientClosedError(this.client.options.connection));
      return { cancel: () => undefined };
    }
    this.watches.add(watch);
    if (this.stream) this.create(this.stream, watch);
    else this.connect();
    return { cancel: () => this.cancel(watch) };
  }

  /** Whether a watch stands on etcd that is told of that key. */
  isWatching(key: string): boolean {
    const bytes = Buffer.from(key);
    return [...this.byId.values()].some(({ range }) => rangeHolds(range, bytes));
  }

  /** How current each watch is, those included that wait for a stream. Makes no call. */
  statuses(): WatchStatus[] {
    return [...this.watches].flatMap(({ handlers }) => handlers.status?.() ?? []);
  }

  /** Ends the stream, and tells every watch that it is over. */
  close(): Promise<void> {
    this.closed = true;
    this.dropStream();
    const over = new ClientClosedError(this.client.options.connection);
    for (const watch of this.watches) {
      this.end(watch);
      watch.handlers.refused(over);
    }
    return Promise.resolve();
  }

  private cancel(watch: RangeWatch): void {
    watch.cancelled = true;
    this.watches.delete(watch);
    if (this.watches.size === 0) return this.dropStream();
    if (watch.id !== null) this.cancelOnStream(watch.id);
  }

  private cancelOnStream(id: string): void {
    this.byId.delete(id);
    this.stream?.write({ cancel_request: { watch_id: id } });
  }

  private connect(): void {
    if (this.opening || this.stream || this.closed || this.cancelRetry) return;
    this.opening = true;
    void this.open();
  }

  private async open(): Promise<void> {
    const avoid = new Set(this.failedEndpoint ? [this.failedEndpoint] : []);
    let stream: WatchStream | undefined;
    try {
      stream = await this.client.openStream<IWatchRequest, IWatchResponse>(
        { service: 'Watch', method: 'watch' },
        {
          data: (response) => this.receive(response),
          end: (failure) => this.streamEnded(failure),
        },
        avoid,
      );
    } catch (error) {
      this.opening = false;
      if (error instanceof ClientClosedError) return void this.close();
      this.logger.debug(`No watch stream yet, it is tried again: ${String(error)}`);
      if (error instanceof EtcdAuthenticationError) this.warnOfLogin(error);
      this.reconnectLater();
      return;
    }
    this.opening = false;
    if (this.closed || this.watches.size === 0) return stream.cancel();
    this.stream = stream;
    this.openedAt = this.client.clock.now();
    this.warnedOfLogin = false;
    this.pulse = new StreamPulse(
      this.client,
      stream,
      () => {
        this.logger.warn(
          `The watch stream of ${stream.endpoint.address.url} fell silent; moving it to another member.`,
        );
        this.failedEndpoint = stream.endpoint;
        this.fragmenting = !this.fragmenting;
        this.dropStream();
        this.reconnectLater();
      },
      () => void this.findOutHowFarBehind(stream),
      () => this.beginAgain(stream),
    );
    for (const watch of this.watches) this.create(stream, watch);
  }

  private create(stream: WatchStream, watch: RangeWatch): void {
    this.unanswered.push(watch);
    stream.write({ create_request: watch.createRequest(this.fragmenting) });
  }

  /** Progress was asked for in vain: what keeps the member from answering is begun again. */
  private beginAgain(stream: WatchStream): void {
    for (const [id, watch] of this.byId) {
      const request = watch.createAgainRequest(this.fragmenting);
      if (!request) continue;
      this.cancelOnStream(id);
      this.unanswered.push(watch);
      stream.write({ create_request: request });
    }
  }

  private receive(response: IWatchResponse): void {
    this.pulse?.heard();
    if (response.created) return this.answered(this.unanswered.shift(), response);
    if (isProgress(response)) return this.progressed(response);
    const watch = this.byId.get(response.watch_id);
    if (!watch) return;
    if (response.canceled) {
      this.byId.delete(response.watch_id);
      this.cancelledByServer(watch, response);
    } else {
      watch.take(response);
    }
  }

  /** The pulse asks for it, for all watches of the stream at once. */
  private progressed({ header }: IWatchResponse): void {
    this.pulse?.progressed();
    const revision = BigInt(header.revision);
    for (const watch of this.byId.values()) watch.handlers.progress?.(revision);
  }

  private tellBehind(upTo: bigint | null): void {
    for (const watch of this.byId.values()) watch.handlers.behind?.(upTo);
  }

  /**
   * What a process finds on its stream when it goes on after a freeze was sent long before. Its member
   * says, asked now, up to where it is old.
   */
  private async findOutHowFarBehind(stream: WatchStream): Promise<void> {
    const standstill = (this.standstill = Symbol('one freeze'));
    this.tellBehind(null);
    // What was asked after an earlier freeze may be answered with what was true before this one.
    const isNewest = () => this.stream === stream && this.standstill === standstill;
    for (let attempt = 1; isNewest(); attempt++) {
      try {
        // Answered by every version to every user; see Caller.probe.
        const { header } = await this.client.txn({}, { endpoint: stream.endpoint });
        if (!isNewest()) return;
        this.standstill = null;
        this.tellBehind(BigInt(header.revision));
        return;
      } catch (error) {
        if (error instanceof ClientClosedError) return;
        if (isNewest() && isFinalFailure(error)) {
          // It will never say: the next stream does, when its watches stand.
          this.dropStream();
          return this.reconnectLater();
        }
        await pause(this.client.clock, retryDelay(attempt, RECONNECT), undefined, { unref: true });
      }
    }
  }

  private answered(watch: RangeWatch | undefined, response: IWatchResponse): void {
    if (!watch) return;
    if (response.canceled) return this.cancelledByServer(watch, response);
    if (watch.cancelled) return this.cancelOnStream(response.watch_id);
    this.byId.set(response.watch_id, watch);
    watch.created(response);
    // It was answered before a freeze, perhaps, and is told of what came since.
    if (this.standstill) watch.handlers.behind?.(null);
  }

  private cancelledByServer(watch: RangeWatch, response: IWatchResponse): void {
    if (watch.cancelled) return;
    watch.id = null;
    const compactRevision = BigInt(response.compact_revision);
    if (compactRevision > 0n) {
      this.end(watch);
      watch.handlers.compacted(compactRevision);
      return;
    }
    const reason = response.cancel_reason;
    watch.refusals += 1;
    if (/auth|permission|user name/i.test(reason)) {
      // A stream keeps the token that it was opened with, and some versions of etcd call an
      // expired one a lack of permission: only a stream under a new token gives the answer.
      const { auth } = this.client.options;
      if (auth && watch.refusals <= TOKEN_RENEWALS) return void this.confirmRefusal(watch);
      this.end(watch);
      watch.handlers.refused(new EtcdPermissionDeniedError(describe(watch), auth?.username));
      return;
    }
    if (watch.refusals > TOKEN_RENEWALS) {
      this.end(watch);
      const detail = reason || 'no reason given';
      watch.handlers.refused(new EtcdRequestError(describe(watch), 'CANCELLED', detail));
      return;
    }
    if (this.stream) this.create(this.stream, watch);
  }

  /**
   * Asks by a call, which finds a good token by itself. So one who may not watch a range costs
   * the others, whose stream it is too, nothing.
   */
  private async confirmRefusal(watch: RangeWatch): Promise<void> {
    const { key, rangeEnd } = watch.range;
    try {
      await this.client.range({ key, ...(rangeEnd && { range_end: rangeEnd }), count_only: true });
    } catch (error) {
      if (error instanceof EtcdPermissionDeniedError && !watch.cancelled) {
        if (watch.id !== null) this.cancelOnStream(watch.id);
        this.end(watch);
        const username = this.client.options.auth?.username;
        watch.handlers.refused(new EtcdPermissionDeniedError(describe(watch), username, error));
      }
      if (error instanceof EtcdPermissionDeniedError) return;
    }
    // It may be watching already, on a stream that was opened since.
    if (!watch.cancelled && watch.id === null && !this.closed) this.reopenWithNewToken();
  }

  private warnOfLogin(error: EtcdAuthenticationError): void {
    if (this.warnedOfLogin) return;
    this.warnedOfLogin = true;
    this.logger.warn(
      `Nothing can be watched until etcd lets this process log in: ${error.message}`,
    );
  }

  private end(watch: RangeWatch): void {
    watch.cancelled = true;
    this.watches.delete(watch);
  }

  private reopenWithNewToken(): void {
    this.client.renewToken();
    this.dropStream();
    this.reconnectLater();
  }

  private streamEnded(failure: GrpcFailure): void {
    if (isStaleToken(failure)) this.client.renewToken();
    this.failedEndpoint = this.stream?.endpoint ?? this.failedEndpoint;
    this.logger.debug(`The watch stream ended, it is opened anew: ${failure.details}`);
    this.dropStream();
    this.reconnectLater();
  }

  private dropStream(): void {
    this.pulse?.stop();
    this.pulse = null;
    this.standstill = null;
    this.stream?.cancel();
    this.stream = null;
    const again = this.unanswered.filter((watch) => watch.beginsAgain);
    for (const watch of [...this.byId.values(), ...again]) watch.handlers.interrupted?.();
    this.byId.clear();
    this.unanswered = [];
    this.cancelRetry?.();
    this.cancelRetry = null;
  }

  /** The first time at once; a crowd that lost the same member is spread out after that. */
  private reconnectLater(): void {
    if (this.closed || this.watches.size === 0 || this.cancelRetry) return;
    if (this.client.clock.now() - this.openedAt > STEADY_MS) this.failures = 0;
    // That stream is over: it says nothing of the next attempts.
    this.openedAt = Infinity;
    const delay = this.failures === 0 ? 0 : retryDelay(this.failures, RECONNECT);
    this.failures += 1;
    this.cancelRetry = this.client.clock.setTimer(() => {
      this.cancelRetry = null;
      this.connect();
    }, delay);
  }
}

function isProgress({ events, canceled }: IWatchResponse): boolean {
  return events.length === 0 && !canceled;
}

function describe({ range }: RangeWatch): string {
  return `A watch on ${JSON.stringify(range.key.toString())}`;
}
