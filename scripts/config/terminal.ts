import type { EtcdCoordinationError } from '../../libs/etcd-coordination/src/client/coordination.error.js';

/** A stream that may be a terminal. */
export type TextStream = Pick<NodeJS.WritableStream, 'write'> & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/** What a command stands in. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: NodeJS.ProcessEnv;
}

/** What is written where: results to stdout, complaints to stderr, colours only to people. */
export class Terminal {
  constructor(
    readonly json: boolean,
    private readonly out: TextStream,
    private readonly err: TextStream,
  ) {}

  line(text = ''): void {
    this.out.write(`${text}\n`);
  }

  /** Exactly this: a document ends as it ends. */
  raw(text: string): void {
    this.out.write(text);
  }

  /** A result for machines, on one line. */
  data(value: unknown): void {
    this.line(
      JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}` : part)),
    );
  }

  complain(error: Error & Partial<Pick<EtcdCoordinationError, 'code'>>): void {
    if (this.json) {
      const { code = 'USAGE', message } = error;
      this.err.write(`${JSON.stringify({ error: { code, message } })}\n`);
      return;
    }
    this.err.write(`${paint(this.err, '31', error.message)}\n`);
  }

  /** A word aside, which is no result. */
  note(text: string): void {
    this.err.write(`${paint(this.err, '2', text)}\n`);
  }

  bold(text: string): string {
    return paint(this.out, '1', text);
  }

  dim(text: string): string {
    return paint(this.out, '2', text);
  }

  good(text: string): string {
    return paint(this.out, '32', text);
  }

  bad(text: string): string {
    return paint(this.out, '31', text);
  }

  /** Rows of text below a head, in columns; the last one is cut to what is left of the line. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const shown = rows.map((row) => row.map(visible));
    const widths = head.map((title, column) =>
      Math.max(title.length, ...shown.map((row) => row[column]!.length)),
    );
    const line = (cells: readonly string[]) => {
      const text = cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
      const columns = (this.out.isTTY && this.out.columns) || 0;
      const whole = text.trimEnd();
      return columns > 20 && whole.length > columns ? `${whole.slice(0, columns - 1)}…` : whole;
    };
    this.line(this.dim(line(head)));
    for (const row of shown) this.line(line(row));
  }
}

function paint(stream: TextStream, code: string, text: string): string {
  const isPlain = !stream.isTTY || process.env.NO_COLOR || process.env.TERM === 'dumb';
  return isPlain ? text : `\u001b[${code}m${text}\u001b[0m`;
}

/** A moment as people compare them: `2026-03-01 10:00:00 UTC`. */
export function moment(at: Date | null): string {
  return at === null ? '-' : `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** What others have written, with its control characters as escapes: they would steer the terminal. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A document on one line, cut short. */
export function excerpt(document: string, most = 60): string {
  const line = document.replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
