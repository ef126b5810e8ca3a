const WIDTH = 92;
/** Where details begin, below what is told with a time. */
const INDENT = 12;
const LEAST_COLUMN = 40;

/** Tells the story on the terminal, and remembers whether anything was not as expected. */
export class Narrator {
  private readonly start = performance.now();
  private readonly colours: boolean;
  private closed = false;
  private acts = 0;
  private checks = 0;
  private failures = 0;

  constructor(private readonly out: NodeJS.WriteStream = process.stdout) {
    this.colours = out.isTTY && !process.env.NO_COLOR;
  }

  get failed(): number {
    return this.failures;
  }

  get checked(): number {
    return this.checks;
  }

  title(text: string): void {
    this.line(`\n${this.paint('1', text)}`);
  }

  /** Opens an act: what is going to happen. */
  act(title: string, happens: string): void {
    this.acts += 1;
    this.line(`\n${this.paint('1;36', `Act ${this.acts} · ${title}`)}`);
    for (const part of wrap(happens, WIDTH - 2)) this.line(`  ${part}`);
  }

  /** Something that happens now. */
  happens(text: string): void {
    this.entry(' ', text);
  }

  /** What should be seen next. {@link seen} follows. */
  expect(text: string): void {
    this.line(`${this.clock()} ${this.paint('2', `  expected  ${text}`)}`);
  }

  /** What was seen, and whether it is what was expected. */
  seen(text: string, holds: boolean): void {
    this.checks += 1;
    if (!holds) this.failures += 1;
    const mark = holds ? this.paint('32', '✔') : this.paint('31', '✘');
    this.entry(mark, `seen      ${holds ? text : this.paint('31', text)}`);
  }

  /** Plain lines below the last one. */
  detail(text: string): void {
    for (const part of wrap(text, WIDTH - INDENT)) this.line(`${' '.repeat(INDENT)}${part}`);
  }

  /** Rows of text in columns. The last one takes as many lines as it needs. */
  table(rows: readonly (readonly string[])[]): void {
    const widths: number[] = [];
    for (const row of rows) {
      row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
    }
    for (const row of rows) {
      const cells = row.slice(0, -1).map((cell, column) => cell.padEnd(widths[column] ?? 0));
      let start = [' '.repeat(INDENT - 2), ...cells, ''].join('  ');
      for (const part of wrap(row.at(-1) ?? '', Math.max(WIDTH - start.length, LEAST_COLUMN))) {
        this.line(start + part);
        start = ' '.repeat(start.length);
      }
    }
  }

  verdict(good: boolean, text: string): void {
    this.line(`\n${this.paint(good ? '1;32' : '1;31', text)}`);
  }

  line(text: string): void {
    if (!this.closed) this.out.write(`${text}\n`);
  }

  /** Says a last word: what an interrupted act still finds is not part of the story. */
  close(text: string): void {
    this.line(text);
    this.closed = true;
  }

  private entry(mark: string, text: string): void {
    this.line(`${this.clock()} ${mark} ${text}`);
  }

  private clock(): string {
    const seconds = ((performance.now() - this.start) / 1000).toFixed(1);
    return this.paint('2', `${seconds.padStart(7)} s`);
  }

  private paint(code: string, text: string): string {
    return this.colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** An amount of cents for people: `0.25`. */
export function money(cents: number): string {
  return (cents / 100).toFixed(2);
}

/** A duration for people: `3.1 ms`, `240 ms`, `2.84 s`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
