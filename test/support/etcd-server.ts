import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { exited, freezeNow, hasExited, killNow, stopSoon } from './child-signals.js';
import { requireEtcd } from './etcd-binaries.js';
import { freePorts } from './free-port.js';
import { reapProcess } from './reaper.js';
import { tempFolder } from './temp-folder.js';
import { waitFor } from './wait-for.js';

/** Certificates that a server shows, as paths of PEM files. */
export interface ServerTls {
  readonly certFile: string;
  readonly keyFile: string;
  /** With it, clients must show a certificate of this authority. */
  readonly clientCaFile?: string;
}

export interface EtcdServerOptions {
  /** Path of the server; left out, the one of {@link line}. */
  readonly binary?: string;
  /** `3.4`, `3.5.16` or `3.5`; left out, whichever there is. */
  readonly line?: string;
  /** Where data lives; left out, a new folder in memory. */
  readonly dataDir?: string;
  /** Default 500: elections are over in less than a second, and the least TTL is 1 s. */
  readonly electionMs?: number;
  /** Default 50. */
  readonly heartbeatMs?: number;
  readonly extraArgs?: readonly string[];
  readonly clientTls?: ServerTls;
  /** A second, plain address for the test's own calls, whatever clients must show: {@link EtcdServer.endpoint}. */
  readonly plainEndpoint?: boolean;
  /** What the member list shows clients, such as a proxy's address; left out, the server's own. */
  readonly advertise?: string;
  /** For members of a cluster. */
  readonly cluster?: ClusterPlace;
}

/** A member's place in a cluster. */
export interface ClusterPlace {
  readonly name: string;
  /** Where its peers find it. */
  readonly peerUrl: string;
  /** Where it listens for them; left out, {@link peerUrl}. */
  readonly peerListenUrl?: string;
  /** `--initial-cluster`. */
  readonly members: string;
  /** `existing` for one that joins a cluster that stands. Default `new`. */
  readonly state?: 'new' | 'existing';
}

/** A real etcd server on free ports of 127.0.0.1, killed at the latest when this process ends. */
export class EtcdServer {
  private child: ChildProcess | null = null;

  private constructor(
    private readonly binary: string,
    private options: EtcdServerOptions,
    private readonly ports: { client: number; peer: number; health: number; plain: number },
    readonly dataDir: string,
    readonly logFile: string,
  ) {}

  /** Starts a server and waits until it answers; shows its log if it does not. */
  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const server = await EtcdServer.create(options);
    await server.launch();
    await server.healthy();
    return server;
  }

  /** A server that is not running yet: {@link launch} and {@link healthy} do that. For clusters. */
  static async create(options: EtcdServerOptions): Promise<EtcdServer> {
    const binary = options.binary ?? (await requireEtcd(options.line));
    const [client, peer, health, plain] = (await freePorts(4)) as [number, number, number, number];
    const folder = tempFolder('etcd');
    const dataDir = options.dataDir ?? join(folder, 'data');
    return new EtcdServer(
      binary,
      options,
      { client, peer, health, plain },
      dataDir,
      join(folder, 'etcd.log'),
    );
  }

  /**
   * Where the test connects, such as `http://127.0.0.1:12345`: the plain address if there is one, else where
   * clients do. The advertised address is another thing.
   */
  get endpoint(): string {
    return this.options.plainEndpoint ? `http://127.0.0.1:${this.ports.plain}` : this.clientUrl;
  }

  /** Host and port where clients connect. */
  get address(): string {
    return `127.0.0.1:${this.ports.client}`;
  }

  get port(): number {
    return this.ports.client;
  }

  get pid(): number {
    if (!this.child?.pid) throw new Error('This etcd is not running.');
    return this.child.pid;
  }

  get running(): boolean {
    return this.child !== null && !hasExited(this.child);
  }

  /** SIGTERM: the server moves its leadership on and ends. */
  async stop(): Promise<void> {
    if (this.child) await stopSoon(this.child);
  }

  /** SIGKILL: it is gone, its sockets are closed. */
  async kill(): Promise<void> {
    if (this.child) await killNow(this.child);
  }

  /** SIGSTOP: it answers nothing, and its connections stay open. */
  freeze(): void {
    freezeNow(this.pid);
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Takes all its data away and gives it another place, where it is a new member once launched. */
  renew(cluster: ClusterPlace): void {
    if (this.running) throw new Error(`etcd at ${this.endpoint} still runs: end it first.`);
    rmSync(this.dataDir, { recursive: true, force: true });
    this.options = { ...this.options, cluster };
  }

  /** Kills the server if it runs, and starts it again on the same ports with the same data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.launch();
    await this.healthy();
  }

  /** Starts the process; it need not answer yet. */
  async launch(): Promise<void> {
    if (this.running) throw new Error(`etcd at ${this.endpoint} is running already.`);
    const log = openSync(this.logFile, 'a');
    try {
      this.child = spawn(this.binary, this.args(), { stdio: ['ignore', log, log] });
      reapProcess(this.child);
      await new Promise<void>((resolve, reject) => {
        this.child?.once('spawn', resolve);
        this.child?.once('error', reject);
      });
    } finally {
      closeSync(log);
    }
  }

  /** Resolves when the server has a leader and answers. */
  async healthy(timeoutMs = 20_000): Promise<void> {
    const child = this.child;
    if (!child) throw new Error('This etcd has not been started.');
    const gone = exited(child).then(() => 'gone' as const);
    const health = `http://127.0.0.1:${this.ports.health}/health`;
    const answers = waitFor(async () => hasExited(child) || isHealthy(health), {
      timeoutMs,
      intervalMs: 20,
      what: () => `etcd to answer at ${health}. Its log ends:\n${this.logTail()}`,
    });
    if ((await Promise.race([gone, answers])) === 'gone' || hasExited(child)) {
      await answers.catch(() => undefined);
      throw new Error(`etcd ended before it answered. Its log ends:\n${this.logTail()}`);
    }
  }

  /** A number that the server measures, asked for past every user and certificate; NaN if it has no such. */
  async metric(name: string): Promise<number> {
    const url = `http://127.0.0.1:${this.ports.health}/metrics`;
    // It answers at once, but on a machine that has far more to do than it can.
    const text = await (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** The last lines of what the server wrote. */
  logTail(lines = 30): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  private get clientUrl(): string {
    return `${this.options.clientTls ? 'https' : 'http'}://${this.address}`;
  }

  private args(): string[] {
    const { electionMs = 500, heartbeatMs = 50, clientTls, cluster, extraArgs = [] } = this.options;
    const name = cluster?.name ?? 'default';
    const peerUrl = cluster?.peerUrl ?? `http://127.0.0.1:${this.ports.peer}`;
    return [
      ...['--name', name, '--data-dir', this.dataDir],
      ...['--listen-client-urls', [...new Set([this.clientUrl, this.endpoint])].join(',')],
      ...['--advertise-client-urls', this.options.advertise ?? this.clientUrl],
      ...['--listen-peer-urls', cluster?.peerListenUrl ?? peerUrl],
      ...['--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', cluster?.members ?? `${name}=${peerUrl}`],
      ...['--initial-cluster-state', cluster?.state ?? 'new'],
      // Plain HTTP whatever the clients must show: the tests ask it for the server's health.
      ...['--listen-metrics-urls', `http://127.0.0.1:${this.ports.health}`],
      ...['--election-timeout', `${electionMs}`, '--heartbeat-interval', `${heartbeatMs}`],
      ...(clientTls ? ['--cert-file', clientTls.certFile, '--key-file', clientTls.keyFile] : []),
      ...(clientTls?.clientCaFile
        ? ['--trusted-ca-file', clientTls.clientCaFile, '--client-cert-auth']
        : []),
      ...extraArgs,
    ];
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const { health } = (await response.json()) as { health?: string };
    return health === 'true';
  } catch {
    return false;
  }
}
