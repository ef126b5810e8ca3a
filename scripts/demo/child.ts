import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PRELOAD = new URL('./end-with-parent.js', import.meta.url).href;
/** Generous: several processes start at once, perhaps on a busy machine. */
const START_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 15_000;

/** A Node process of the demo. It ends when this process does, however that ends. */
export class Child {
  readonly exited: Promise<void>;
  private ended: string | null = null;
  private firstMessage: Promise<unknown>;

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
    readonly logFile: string,
  ) {
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => this.end(`could not be started: ${error.message}`, resolve));
      child.once('exit', (code, signal) => this.end(`ended with ${signal ?? code}`, resolve));
    });
    this.firstMessage = new Promise((resolve) => child.once('message', resolve));
  }

  /** Starts `script`, a path relative to the built demo's root, with its output in a file of `logs`. */
  static start(name: string, script: string, env: NodeJS.ProcessEnv, logs: string): Child {
    const logFile = join(logs, `${name}.log`);
    const log = openSync(logFile, 'a');
    try {
      const path = fileURLToPath(new URL(`../../${script}`, import.meta.url));
      const child = spawn(process.execPath, ['--import', PRELOAD, path], {
        env: { ...process.env, NO_COLOR: '1', ...env },
        stdio: ['ignore', log, log, 'ipc'],
      });
      return new Child(name, child, logFile);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.ended === null;
  }

  /**
   * The first message of the process, which says that it is ready.
   * @throws Error with the end of its log if it ends before, or takes too long.
   */
  async ready(): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(this.failure(`was not ready within ${START_WITHIN_MS} ms`)),
        START_WITHIN_MS,
      );
    });
    const died = this.exited.then(() => Promise.reject(this.failure(this.ended ?? 'ended')));
    died.catch(() => {});
    try {
      return await Promise.race([this.firstMessage, died, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** `kill -9`: the process gets no chance to say good-bye. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /**
   * Stops the process with `kill -STOP`, and resolves when `kill -CONT` has woken it `seconds` later. A
   * shell does both, so that it is woken even if the story ends meanwhile.
   */
  async freeze(seconds: number): Promise<void> {
    const script = `kill -STOP ${this.pid}; sleep ${seconds}; kill -CONT ${this.pid}`;
    const shell = spawn('/bin/sh', ['-c', script], { stdio: 'ignore', detached: true });
    shell.unref();
    await new Promise<void>((resolve, reject) => {
      shell.once('error', reject);
      shell.once('exit', () => resolve());
    });
  }

  /** Asks the process to end; `kill -9` follows if it does not. */
  async stop(): Promise<void> {
    if (!this.running) return;
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_WITHIN_MS);
    this.child.kill('SIGTERM');
    await this.exited;
    clearTimeout(timer);
  }

  /** The last lines of its log. */
  logTail(lines = 12): string {
    const text = readFileSync(this.logFile, 'utf8').trimEnd();
    return text.split('\n').slice(-lines).join('\n');
  }

  private end(how: string, resolve: () => void): void {
    this.ended ??= how;
    resolve();
  }

  private failure(how: string): Error {
    return new Error(`${this.name} ${how}. Its log ends with:\n${this.logTail()}`);
  }
}
