import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { hasExited, stopSoon } from './child-signals.js';
import { freePort } from './free-port.js';
import { reapProcess } from './reaper.js';
import { SqlSession } from './sql-session.js';
import { tempFolder } from './temp-folder.js';
import { waitFor } from './wait-for.js';

const run = promisify(execFile);

/** Where Debian's packages keep what belongs to the server, one folder a version. */
const DEBIAN = '/usr/lib/postgresql';

/** The folder of PostgreSQL's programs, or null if it is not installed: the package `postgresql`. */
export function postgresPrograms(): string | null {
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a))
    : [];
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean),
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
  ];
  const needed = ['initdb', 'postgres', 'psql'];
  return folders.find((folder) => needed.every((name) => existsSync(join(folder, name)))) ?? null;
}

/** A PostgreSQL server on a free port, in memory where the machine offers that, killed with this process. */
export class PostgresServer {
  private constructor(
    private readonly programs: string,
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  /** @throws {Error} if it is not installed, or does not come up: with its log then */
  static async start(): Promise<PostgresServer> {
    const programs = postgresPrograms();
    if (!programs) throw new Error('No PostgreSQL is installed: apt-get install postgresql.');
    const folder = tempFolder('postgres');
    const owner = ownerOfServer();
    if (owner) chownSync(folder, owner.uid, owner.gid);
    const data = join(folder, 'data');
    await run(
      join(programs, 'initdb'),
      ['-D', data, '-U', 'test', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
      { ...owner, cwd: folder },
    );
    const port = await freePort();
    const logFile = join(folder, 'postgres.log');
    const log = openSync(logFile, 'a');
    const child = spawn(
      join(programs, 'postgres'),
      ['-D', data, '-h', '127.0.0.1', '-p', `${port}`, '-k', folder, '-F'],
      { ...owner, cwd: folder, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    reapProcess(child);
    const server = new PostgresServer(programs, child, port);
    const tail = () => readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n');
    await waitFor(async () => hasExited(child) || (await server.answers()), {
      timeoutMs: 30_000,
      intervalMs: 50,
      what: () => `PostgreSQL to answer. Its log ends:\n${tail()}`,
    });
    if (hasExited(child))
      throw new Error(`PostgreSQL ended at its start. Its log ends:\n${tail()}`);
    return server;
  }

  /** A connection of its own, by the package's own terminal. */
  connect(): SqlSession {
    return new SqlSession(join(this.programs, 'psql'), this.arguments);
  }

  /** Ends its connections and the server. */
  async stop(): Promise<void> {
    this.child.kill('SIGINT');
    await stopSoon(this.child);
  }

  private get arguments(): string[] {
    return [
      '-h',
      '127.0.0.1',
      '-p',
      `${this.port}`,
      '-U',
      'test',
      '-d',
      'postgres',
      '-X',
      '-q',
      '-At',
    ];
  }

  private async answers(): Promise<boolean> {
    try {
      await run(join(this.programs, 'psql'), [...this.arguments, '-c', 'select 1']);
      return true;
    } catch {
      return false;
    }
  }
}

/** The server refuses to run as root: then it runs as the user that its package has made. */
function ownerOfServer(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres']).toString());
  return { uid: id('-u'), gid: id('-g') };
}
