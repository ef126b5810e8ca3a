import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What Go's program prints, as far as it is read here. */
export interface GoFigures {
  readonly p50_us: number;
  readonly ops_s: number;
  /** Turns of each worker. */
  readonly counts: readonly number[];
}

const LONGEST_MS = 60_000;

type Options = Readonly<Record<string, string | number>>;

/** Go's own client, by the program that the variable `GO_BENCH` names. */
export class GoBench {
  private constructor(private readonly binary: string) {}

  static fromEnv(): GoBench | null {
    const binary = process.env['GO_BENCH'];
    return binary ? new GoBench(binary) : null;
  }

  /** Runs one of its tests. */
  run(test: string, endpoint: string, options: Options): Promise<GoFigures> {
    const once = () => {
      const { figures, go } = this.start(test, endpoint, options);
      go();
      return figures;
    };
    return once().catch(once);
  }

  /** Runs a test in several processes, which begin together once all of them stand. */
  async runTogether(
    processes: number,
    test: string,
    endpoint: string,
    options: Options,
  ): Promise<GoFigures[]> {
    const runs = Array.from({ length: processes }, () =>
      this.start(test, endpoint, { ...options, gate: 1 }),
    );
    // One that fails never stands.
    await Promise.race([Promise.all(runs.map(({ ready }) => ready)), ...runs.map(failing)]);
    for (const { go } of runs) go();
    return Promise.all(runs.map(({ figures }) => figures));
  }

  private start(test: string, endpoint: string, options: Options): GoRun {
    const opt = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    const target = endpoint.replace(/^https?:\/\//, '');
    const args = ['-test', test, '-endpoint', target, '-opt', opt.join(',')];
    const child = spawn(this.binary, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Its election was seen to wait for ever.
      timeout: LONGEST_MS,
      killSignal: 'SIGKILL',
    });
    // It may have ended before it is let go.
    child.stdin.on('error', () => undefined);
    let last = '';
    let stands: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => (stands = resolve));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'READY') stands();
      else last = line;
    });
    const figures = new Promise<GoFigures>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve(JSON.parse(last) as GoFigures);
        else
          reject(new Error(`${this.binary} ${args.join(' ')} ended with ${code ?? 'a signal'}.`));
      });
    });
    return { ready, figures, go: () => child.stdin.end('\n') };
  }
}

interface GoRun {
  /** It waits to be let go, if it was told to. */
  readonly ready: Promise<void>;
  readonly figures: Promise<GoFigures>;
  go(): void;
}

function failing({ figures }: GoRun): Promise<never> {
  return new Promise((_, reject) => void figures.catch(reject));
}
