import { systemClock, type TimerOptions } from '../../client/clock.js';
import { TestingUsageError } from '../testing.errors.js';
import { assertBound, assertSpan } from './span.js';
import { type Awaited, settling } from './settling.js';
import { DEFAULT_WITHIN_MS, type TestTime } from './test-time.js';

const LOOK_MS = 2;

/** The machine's time, for tests that work with something that goes by it. */
export class RealTime implements TestTime {
  readonly kind = 'real';
  private closed = false;

  now(): number {
    return systemClock.now();
  }

  setTimer(callback: () => void, delayMs: number, options?: TimerOptions): () => void {
    return systemClock.setTimer(callback, delayMs, options);
  }

  async advance(ms: number): Promise<void> {
    assertSpan(ms);
    this.assertOpen();
    await sleep(ms);
  }

  settle(): Promise<void> {
    return this.advance(LOOK_MS);
  }

  async until(condition: () => boolean, withinMs = DEFAULT_WITHIN_MS): Promise<boolean> {
    assertBound(withinMs);
    this.assertOpen();
    const end = this.now() + withinMs;
    while (!condition()) {
      if (this.now() >= end) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }

  run<T>(work: Promise<T> | (() => Promise<T>), withinMs?: number): Promise<T> {
    return settling((condition, ms) => this.until(condition, ms), work, withinMs);
  }

  patiently<T>(work: () => Promise<T>, _patienceMs: number, awaited: Awaited): Promise<T> {
    const until = (condition: () => boolean, ms: number) => this.until(condition, ms);
    return settling(until, work, DEFAULT_WITHIN_MS, awaited);
  }

  close(): void {
    this.closed = true;
  }

  private assertOpen(): void {
    if (!this.closed) return;
    throw new TestingUsageError('The fleet is closed, or its application is. Wait before.');
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
