import { machineNow } from '../../e2e/election/machine-clock.js';
import { TestAuthority } from '../../support/certificates.js';
import { authTokenTtl } from '../../support/etcd-admin.js';
import { EtcdCluster, type EtcdMember } from '../../support/etcd-cluster.js';
import { RotatingCertificate } from '../../support/rotating-certificate.js';
import { SmallDisk } from '../../support/small-disk.js';
import { waitFor } from '../../support/wait-for.js';
import type { Compaction } from '../check/evidence.js';
import type { ChaosCluster, ClusterFeature } from './chaos-cluster.js';
import { ClusterAdmin } from './cluster-admin.js';

export interface ChaosClusterOptions {
  /** `3.4`, `3.5.16` or `3.5`. */
  readonly line: string;
  /** Default `plain`. */
  readonly security?: 'plain' | 'auth' | 'tls' | 'tls+auth';
  /** The prefix that the workers' user may read and write, with `auth`; left out, everything. */
  readonly prefix?: string;
}

const SIZE = 3;
const TOKEN_TTL_S = 2;
/** Enough for what a run writes between two compactions, and filled within a second or two. */
const QUOTA_BYTES = 48 * 1024 * 1024;
const SETTLED_MS = 30_000;
const USERS = {
  root: { username: 'root', password: 'of-the-run' },
  worker: { username: 'chaos', password: 'of-the-workers' },
};

interface Parts {
  readonly cluster: EtcdCluster;
  readonly certificate: RotatingCertificate | null;
  readonly disks: readonly (SmallDisk | null)[];
  readonly users: ChaosCluster['users'];
  readonly caFile: string | null;
  readonly tokenTtlMs: number | null;
}

/** {@link ChaosCluster} of three etcd servers on this machine. */
export class RealChaosCluster implements ChaosCluster {
  readonly has: ReadonlySet<ClusterFeature>;
  readonly lacks: readonly string[];
  compactionLimit: (() => bigint) | null = null;
  readonly compactions: Compaction[] = [];
  private readonly admin: ClusterAdmin;
  /** A replacement that was begun, and perhaps not ended. */
  private readonly replacing = new Set<EtcdMember>();

  private constructor(private readonly parts: Parts) {
    this.admin = new ClusterAdmin(parts.cluster, parts.users?.root ?? null);
    [this.has, this.lacks] = features(parts);
  }

  static async start(options: ChaosClusterOptions): Promise<RealChaosCluster> {
    const { line, security = 'plain', prefix } = options;
    const authority = security.includes('tls') ? await TestAuthority.create() : null;
    const certificate = authority && (await RotatingCertificate.create(authority));
    const disks = await Promise.all(Array.from({ length: SIZE }, () => SmallDisk.mount()));
    const wantsAuth = security.includes('auth');
    // 3.4 lets a token live for five minutes, and knows no option for it.
    const tokenTtlMs = wantsAuth && line !== '3.4' ? TOKEN_TTL_S * 1000 : null;
    const cluster = await EtcdCluster.start({
      ...{ line, size: SIZE, peerProxies: true },
      ...(certificate && { clientTls: certificate.files }),
      ...(disks.every((disk) => disk) && { dataDirs: disks.map((disk) => `${disk!.folder}/data`) }),
      extraArgs: [
        ...['--quota-backend-bytes', `${QUOTA_BYTES}`],
        // The filler must not stay in the memory of each member for ever; and who was away gets a snapshot.
        ...['--snapshot-count', '5000', '--max-wals', '2', '--max-snapshots', '2'],
        // Every call of the run's own logs in anew.
        ...(wantsAuth ? ['--bcrypt-cost', '4'] : []),
        ...(tokenTtlMs === null ? [] : authTokenTtl(TOKEN_TTL_S)),
      ],
    });
    if (wantsAuth) {
      const { username: name, password } = USERS.worker;
      await cluster.enableAuth(USERS.root.password, [
        { name, password, ...(prefix !== undefined && { prefix }) },
      ]);
    }
    return new RealChaosCluster({
      ...{ cluster, certificate, disks, tokenTtlMs },
      users: wantsAuth ? USERS : null,
      caFile: authority?.caFile ?? null,
    });
  }

  get members(): readonly EtcdMember[] {
    return this.parts.cluster.members;
  }

  get caFile(): string | null {
    return this.parts.caFile;
  }

  get users(): ChaosCluster['users'] {
    return this.parts.users;
  }

  get tokenTtlMs(): number | null {
    return this.parts.tokenTtlMs;
  }

  leader(timeoutMs = SETTLED_MS): Promise<EtcdMember> {
    return this.parts.cluster.leader(timeoutMs);
  }

  followers(): Promise<EtcdMember[]> {
    return this.parts.cluster.followers();
  }

  async moveLeader(to: EtcdMember): Promise<void> {
    // An election may come in between, or the member may not be near enough to take over.
    const moved = () => this.parts.cluster.moveLeader(to).then(() => true);
    await waitFor(moved, { what: `${to.name} to lead`, timeoutMs: SETTLED_MS, intervalMs: 200 });
  }

  compact(): Promise<bigint> {
    // Noted before the answer: watches may be told of it earlier, or though there is none.
    return this.admin.compact(this.compactionLimit?.() ?? null, (revision) => {
      this.compactions.push({ revision, askedAt: machineNow() });
    });
  }

  defragment(member: EtcdMember): Promise<void> {
    return this.admin.defragment(member);
  }

  async replace(member: EtcdMember): Promise<void> {
    this.replacing.add(member);
    await this.parts.cluster.replace(member);
    this.replacing.delete(member);
    // The newcomer lives through the log, and with it once more through a quota that was used up before.
    if (await this.admin.isAlarmed()) await this.cureQuota();
    await member.server.healthy();
  }

  fillQuota(): Promise<void> {
    return this.admin.fillQuota();
  }

  cureQuota(): Promise<void> {
    return this.admin.cureQuota(() => this.compact());
  }

  async fillDisk(member: EtcdMember): Promise<void> {
    const disk = this.diskOf(member);
    // Without a free page in its file, every write needs room.
    await this.defragment(member);
    await disk.fill();
    const dies = async () => {
      if (!member.server.running) return true;
      await this.admin.settle('a write', (etcd) => this.admin.putPiece(etcd));
      return !member.server.running;
    };
    await waitFor(dies, {
      ...{ what: `${member.name} to die of its full disk`, timeoutMs: SETTLED_MS },
      intervalMs: 100,
    });
  }

  async cureDisk(member: EtcdMember): Promise<void> {
    await this.diskOf(member).free();
    if (!member.server.running) await member.server.launch();
    await member.server.healthy();
  }

  async renewCertificates(kind: 'good' | 'expired'): Promise<void> {
    const { certificate } = this.parts;
    if (!certificate) throw new Error('This cluster has no TLS: start it with security "tls".');
    await certificate.renew(kind);
    for (const { proxy } of this.members) proxy.reset();
  }

  async voidTokens(): Promise<void> {
    const { username: name, password } = USERS.worker;
    await this.admin.settle('the password to be set', ({ auth }) =>
      auth.userChangePassword({ name, password }),
    );
  }

  isolate(member: EtcdMember): void {
    this.parts.cluster.isolate(member);
  }

  async rejoin(member: EtcdMember): Promise<void> {
    this.parts.cluster.rejoin();
    await this.following(member);
  }

  async heal(): Promise<void> {
    const { cluster, disks, certificate } = this.parts;
    for (const disk of disks) await disk?.free();
    await cluster.revive();
    // A fault that was cut short, or that had to write a lot, may have used up the quota: nobody is healthy before.
    if (await this.admin.isAlarmed()) await this.cureQuota();
    await cluster.healthy();
    for (const member of [...this.replacing]) await this.replace(member);
    await certificate?.renew('good');
    for (const { proxy } of this.members) proxy.reset();
    await Promise.all(this.members.map((member) => this.following(member)));
  }

  async stop(): Promise<void> {
    await this.parts.cluster.stop();
    for (const disk of this.parts.disks) await disk?.unmount();
  }

  /** Waits until the member has all that a quorum had when this was called. */
  private async following(member: EtcdMember): Promise<void> {
    const revision = await this.admin.revision();
    const follows = async () => {
      const { leaderId, revision: own } = await member.status();
      return leaderId !== '0' && own >= revision;
    };
    const { name, server } = member;
    const what = () =>
      `${name} to have revision ${revision}. Its log ends:\n${server.logTail(15)}\n`;
    await waitFor(follows, { what, timeoutMs: SETTLED_MS, intervalMs: 50 });
  }

  private diskOf(member: EtcdMember): SmallDisk {
    const disk = this.parts.disks[this.members.indexOf(member)];
    if (!disk) throw new Error(`${member.name} has no disk of its own: ${this.lacks.join(' ')}`);
    return disk;
  }
}

function features(parts: Parts): [ReadonlySet<ClusterFeature>, string[]] {
  const has = new Set<ClusterFeature>(['peer-proxies']);
  const lacks: string[] = [];
  if (parts.caFile !== null) has.add('tls');
  if (parts.users) {
    has.add('auth');
    if (parts.tokenTtlMs !== null) has.add('token-expiry');
    else lacks.push('Tokens of etcd 3.4 live for five minutes, no option of it changes that.');
  }
  if (parts.disks.every((disk) => disk)) has.add('small-disk');
  else lacks.push('No disk can be full here, for this process may not mount one of its own.');
  return [has, lacks];
}
