import type { Socket } from 'node:net';

export type Direction = 'to-server' | 'to-client';

/** What a flow may do with a piece of data: pass it, change it, or swallow it. */
export type DataHook = (data: Buffer) => Buffer | null;

/**
 * One direction of one proxied connection. Data keeps its order through every change of mode; what is held
 * back is delivered when the flow is released, as TCP's retransmission does once a network heals.
 */
export class TcpFlow {
  private readonly queue: { data: Buffer; due: number }[] = [];
  private timer: NodeJS.Timeout | null = null;
  private held = false;
  private delayMs = 0;
  private ended = false;
  bytes = 0;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly hook: DataHook,
  ) {
    from.on('data', (data: Buffer) => this.take(data));
    from.on('end', () => {
      this.ended = true;
      this.pump();
    });
    to.on('drain', () => {
      if (!this.held) this.from.resume();
    });
  }

  hold(): void {
    this.held = true;
    // Not read at all: the sender's window fills up, as behind a network that drops everything.
    this.from.pause();
  }

  release(): void {
    this.held = false;
    this.from.resume();
    this.pump();
  }

  delay(ms: number): void {
    this.delayMs = ms;
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.queue.length = 0;
  }

  private take(data: Buffer): void {
    const passed = this.hook(data);
    if (!passed) return;
    this.queue.push({ data: passed, due: performance.now() + this.delayMs });
    this.pump();
  }

  private pump(): void {
    if (this.held || this.timer) return;
    for (let next = this.queue[0]; next; next = this.queue[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.timer = setTimeout(() => {
          this.timer = null;
          this.pump();
        }, wait);
        return;
      }
      this.queue.shift();
      this.bytes += next.data.length;
      if (!this.to.destroyed && !this.to.write(next.data)) this.from.pause();
    }
    if (this.ended && !this.to.destroyed) this.to.end();
  }
}
