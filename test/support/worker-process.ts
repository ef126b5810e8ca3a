import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { exited, freezeNow, hasExited, killNow, stopSoon } from './child-signals.js';
import { reapProcess } from './reaper.js';
import { waitFor } from './wait-for.js';

const loader = new URL('../../scripts/ts-loader/register.mjs', import.meta.url);

export interface WorkerOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** For Node itself, such as `--expose-gc`. */
  readonly nodeArgs?: readonly string[];
}

/** A line of JSON that a worker wrote, with the moment of its arrival. */
export interface WorkerMessage {
  /** `performance.now()` of the reading process. */
  readonly at: number;
  readonly [name: string]: unknown;
}

/**
 * A TypeScript file in a Node process of its own, run from source with Nest's decorators. It speaks by lines
 * of JSON objects on stdout (`console.log(JSON.stringify({ type: 'elected' }))`), and hears by lines of JSON
 * on stdin. What is not JSON is kept as its log.
 */
export class WorkerProcess {
  readonly messages: WorkerMessage[] = [];
  private readonly lines: string[] = [];

  private constructor(
    private readonly child: ChildProcess,
    private readonly file: string,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.take(line));
    }
    // The worker may end before it has read everything.
    child.stdin?.on('error', () => undefined);
  }

  /** @param file a path, or the URL of one: `new URL('./candidate.worker.ts', import.meta.url)` */
  static async start(file: string | URL, options: WorkerOptions = {}): Promise<WorkerProcess> {
    const path = typeof file === 'string' ? resolve(file) : fileURLToPath(file);
    const child = spawn(
      process.execPath,
      [...(options.nodeArgs ?? []), '--import', loader.href, path, ...(options.args ?? [])],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        // A worker is not a test: what vitest tells its own workers must not reach it.
        env: { ...withoutVitest(process.env), ...options.env },
      },
    );
    await once(child, 'spawn');
    reapProcess(child);
    return new WorkerProcess(child, path);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get running(): boolean {
    return !hasExited(this.child);
  }

  /** Its exit code once it has ended by itself; null while it runs, or if a signal ended it. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** The first message of this type, or that the predicate likes; those that came already count. */
  async message(
    wanted: string | ((message: WorkerMessage) => boolean),
    options: { timeoutMs?: number; after?: number } = {},
  ): Promise<WorkerMessage> {
    const { timeoutMs = 15_000, after = -Infinity } = options;
    const likes =
      typeof wanted === 'string' ? (message: WorkerMessage) => message['type'] === wanted : wanted;
    const find = () => this.messages.find((message) => message.at > after && likes(message));
    await waitFor(() => find() ?? !this.running, {
      timeoutMs,
      intervalMs: 5,
      what: () => `a message ${String(wanted)} of ${this.file}. Its output:\n${this.output()}`,
    });
    const found = find();
    if (found) return found;
    throw new Error(
      `${this.file} ended before it sent ${String(wanted)}. Its output:\n${this.output()}`,
    );
  }

  /** Writes a line of JSON to its stdin. */
  send(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void> {
    return killNow(this.child);
  }

  /** SIGTERM, and SIGKILL when it takes longer than the budget. */
  stop(budgetMs = 10_000): Promise<void> {
    return stopSoon(this.child, budgetMs);
  }

  /** SIGSTOP: as a machine that swaps, or a virtual machine that is moved. */
  freeze(): void {
    freezeNow(this.child.pid!);
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Resolves when it has ended, with its exit code. */
  async exit(): Promise<number | null> {
    await exited(this.child);
    return this.child.exitCode;
  }

  /** The last lines that it wrote, JSON or not. */
  output(lines = 40): string {
    return this.lines.slice(-lines).join('\n');
  }

  private take(line: string): void {
    this.lines.push(line);
    if (!line.startsWith('{')) return;
    try {
      this.messages.push({ ...(JSON.parse(line) as object), at: performance.now() });
    } catch {
      // Something else that begins with a brace.
    }
  }
}

function withoutVitest(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) => !/^(VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|DEV$|PROD$|MODE$|SSR$)/.test(name),
  );
  return Object.fromEntries(kept);
}
