import type { LoggerService } from '@nestjs/common';

/** A line that an application logged in a test. */
export interface TestLogEntry {
  readonly level: 'log' | 'error' | 'warn' | 'debug' | 'verbose' | 'fatal';
  readonly message: string;
  /** Who said so, such as a class. */
  readonly context: string;
}

/** Keeps what is logged, and shows nothing unless it is asked for. */
export class TestLog implements LoggerService {
  readonly entries: TestLogEntry[] = [];

  constructor(private readonly shown: LoggerService | null) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.keep('log', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.keep('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.keep('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.keep('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.keep('verbose', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.keep('fatal', message, rest);
  }

  private keep(level: TestLogEntry['level'], message: unknown, rest: unknown[]): void {
    const context = rest.at(-1);
    this.entries.push({
      level,
      message: message instanceof Error ? message.message : String(message),
      context: typeof context === 'string' ? context : '',
    });
    this.shown?.[level]?.(message, ...rest);
  }
}
