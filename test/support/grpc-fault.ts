import { decodeMessage } from './grpc-messages.js';

/**
 * How a fault shows itself to the client:
 * `unavailable` status 14 on this call, `reset` the stream is reset, `cut` the whole connection is reset,
 * `silence` nothing more comes until the client gives up.
 */
export type FaultManner = 'unavailable' | 'reset' | 'cut' | 'silence';

/** A call as the proxy sees it. */
export interface ProxiedCall {
  /** Such as `KV/Put`. */
  readonly method: string;
  /** 1 for the first connection from a client, 2 for the second, … */
  readonly connection: number;
  /** Milliseconds of `performance.now()` when it began. */
  readonly startedAt: number;
  /** Messages from the client so far. */
  sent: number;
  /** Messages passed on to the client so far. */
  received: number;
  /** True when neither side has anything more to say. */
  ended: boolean;
  /** The first message of the client, decoded. */
  request<T = Record<string, unknown>>(): T;
}

/** Decides about one message of the server; `index` counts from 1 in its call. */
export type ResponsePredicate = (
  response: Record<string, unknown>,
  index: number,
  call: ProxiedCall,
) => boolean;

/** A fault that waits for its call, and tells what it did. */
export interface Fault {
  /** Calls that it has hit. */
  readonly hits: number;
  /** Resolves at the first hit; for a lost answer that is when the server has applied the call. */
  readonly happened: Promise<ProxiedCall>;
  /** Takes it away; a held answer is let go. */
  remove(): void;
}

export type FaultKind = 'lose-answer' | 'cut-stream' | 'fail' | 'hold-answer' | 'drop-message';

/** A fault as the proxy keeps it. */
export class ArmedFault implements Fault {
  hits = 0;
  readonly happened: Promise<ProxiedCall>;
  private resolveHappened!: (call: ProxiedCall) => void;
  private readonly releases: (() => void)[] = [];
  removed = false;

  constructor(
    readonly kind: FaultKind,
    readonly method: string,
    readonly times: number,
    readonly manner: FaultManner,
    readonly when: ResponsePredicate | null,
    readonly status: { code: number; message: string } = UNAVAILABLE,
  ) {
    this.happened = new Promise((resolve) => (this.resolveHappened = resolve));
  }

  get armed(): boolean {
    return !this.removed && this.hits < this.times;
  }

  matches(method: string): boolean {
    return this.armed && (this.method === '*' || this.method === method);
  }

  hit(call: ProxiedCall): void {
    this.hits += 1;
    this.resolveHappened(call);
  }

  /** Runs once the fault is removed. */
  onRelease(release: () => void): void {
    if (this.removed) release();
    else this.releases.push(release);
  }

  remove(): void {
    this.removed = true;
    for (const release of this.releases.splice(0)) release();
  }
}

export const UNAVAILABLE = { code: 14, message: 'the test lost this answer' };

/** The response of a frame, decoded only for those who ask. */
export function decodeResponse(path: string, frame: Buffer): Record<string, unknown> {
  return decodeMessage(path, 'response', frame);
}
