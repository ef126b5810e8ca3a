import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { killNow } from './child-signals.js';
import { reapProcess } from './reaper.js';

/** What a statement gave. */
export interface SqlResult {
  /** The rows, their columns parted by `|`. */
  readonly rows: readonly string[];
  /** How many rows it has given or changed. */
  readonly count: number;
  /** `00000` if it succeeded. */
  readonly sqlState: string;
}

/** One connection to PostgreSQL, statements one after another, through psql. */
export class SqlSession {
  private readonly child: ChildProcess;
  private readonly waiting: { rows: string[]; resolve: (result: SqlResult) => void }[] = [];

  constructor(psql: string, args: readonly string[]) {
    this.child = spawn(psql, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    reapProcess(this.child);
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.read(line));
  }

  /** Runs one statement; an error of it is told in the result. */
  run(sql: string): Promise<SqlResult> {
    const done = new Promise<SqlResult>((resolve) => this.waiting.push({ rows: [], resolve }));
    const statement = sql.trim().replace(/;$/, '');
    this.child.stdin!.write(`${statement};\n\\echo :SQLSTATE :ROW_COUNT ${END}\n`);
    return done;
  }

  /** As {@link run}, with values for `$1`, `$2`, … */
  async execute(sql: string, ...values: readonly (string | bigint | number)[]): Promise<SqlResult> {
    const name = `s${(this.statements += 1)}`;
    const prepared = await this.run(`PREPARE ${name} AS ${sql}`);
    if (prepared.sqlState !== '00000') return prepared;
    const literals = values.map((value) => `'${`${value}`.replaceAll("'", "''")}'`);
    return this.run(`EXECUTE ${name}${literals.length > 0 ? `(${literals.join(', ')})` : ''}`);
  }

  async close(): Promise<void> {
    await killNow(this.child);
  }

  private statements = 0;

  private read(line: string): void {
    const current = this.waiting[0];
    if (!current) return;
    if (!line.endsWith(END)) {
      current.rows.push(line);
      return;
    }
    this.waiting.shift();
    const [sqlState = '', count = ''] = line.split(' ');
    current.resolve({ rows: current.rows, count: Number(count), sqlState });
  }
}

/** After the last row of a statement. */
const END = '--end of statement--';
