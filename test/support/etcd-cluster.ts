import type { Etcd3, IMemberListResponse } from 'etcd3';
import { enableAuth, type TestUser } from './etcd-admin.js';
import { requireEtcd } from './etcd-binaries.js';
import { rawEtcd } from './raw-etcd.js';
import { EtcdServer, type ClusterPlace, type ServerTls } from './etcd-server.js';
import { freePorts } from './free-port.js';
import { changeMembers, type EtcdUser } from './member-change.js';
import { PeerProxy } from './peer-proxy.js';
import { TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait-for.js';

export interface EtcdClusterOptions {
  readonly binary?: string;
  readonly line?: string;
  /** Default 3. */
  readonly size?: number;
  readonly electionMs?: number;
  readonly heartbeatMs?: number;
  readonly extraArgs?: readonly string[];
  /** Clients need TLS then; the test's own calls go on without, over {@link EtcdServer.endpoint}. */
  readonly clientTls?: ServerTls;
  /** A proxy before each member's peer address as well, for {@link EtcdCluster.isolate}. */
  readonly peerProxies?: boolean;
  /** Where the members' data lives; left out, new folders in memory. */
  readonly dataDirs?: readonly string[];
}

/** A member: its server, and the proxy that clients reach it through. */
export class EtcdMember {
  constructor(
    readonly name: string,
    readonly server: EtcdServer,
    readonly proxy: TcpProxy,
    readonly peers: PeerWay,
    /** The proxy's address, which the member list shows too. */
    readonly endpoint: string,
    private readonly access: ClusterAccess,
  ) {}

  /** What the member says of itself, past the proxy. */
  async status(): Promise<MemberStatus> {
    using etcd = rawEtcd(this.server.endpoint, {
      ...this.access,
      // Logging in has this limit too: a member that is cut off must not hold up those that ask all.
      defaultCallOptions: () => ({ deadline: Date.now() + 1_000 }),
    });
    const status = await etcd.client.maintenance.status();
    return {
      id: status.header.member_id,
      leaderId: status.leader,
      revision: BigInt(status.header.revision),
    };
  }

  /** False for one that is cut off from the majority; asked of it without a quorum. */
  async hasLeader(): Promise<boolean> {
    return (await this.server.metric('etcd_server_has_leader')) === 1;
  }

  kill = () => this.server.kill();
  stop = () => this.server.stop();
  freeze = () => this.server.freeze();
  thaw = () => this.server.thaw();
  restart = () => this.server.restart();
}

/** How the other members find one. */
export interface PeerWay {
  readonly url: string;
  /** Where the member listens, if that is another address. */
  readonly listenUrl: string;
  readonly proxy: PeerProxy | null;
}

/** Who asks, on the test's behalf, once authentication is on. */
interface ClusterAccess {
  auth?: EtcdUser;
}

export interface MemberStatus {
  readonly id: string;
  /** `"0"` while there is none. */
  readonly leaderId: string;
  readonly revision: bigint;
}

/** Real etcd members, each behind a proxy for clients and, if wanted, one for its peers. */
export class EtcdCluster {
  /** The members' ids, which must be known when they cannot be asked; a replaced member gets another. */
  private readonly ids = new Map<EtcdMember, string>();

  private constructor(
    readonly members: readonly EtcdMember[],
    private readonly access: ClusterAccess,
  ) {}

  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    const { size = 3, peerProxies = false, dataDirs = [], ...rest } = options;
    const binary = options.binary ?? (await requireEtcd(options.line));
    const ways = await Promise.all(
      (await freePorts(size)).map((port) => peerWay(port, peerProxies)),
    );
    const initial = ways.map(({ url }, index) => `m${index}=${url}`).join(',');

    const access: ClusterAccess = {};
    const members = await Promise.all(
      ways.map(async (peers, index) => {
        const proxy = await TcpProxy.start();
        const endpoint = rest.clientTls ? `https://${proxy.address}` : proxy.url;
        const dataDir = dataDirs[index];
        const server = await EtcdServer.create({
          ...rest,
          ...(dataDir !== undefined && { dataDir }),
          binary,
          advertise: endpoint,
          plainEndpoint: rest.clientTls !== undefined,
          cluster: placeOf(`m${index}`, peers, initial),
        });
        proxy.target = server.address;
        await server.launch();
        return new EtcdMember(`m${index}`, server, proxy, peers, endpoint, access);
      }),
    );
    await Promise.all(members.map((member) => member.server.healthy()));
    const cluster = new EtcdCluster(members, access);
    await Promise.all(members.map((member) => cluster.identify(member)));
    return cluster;
  }

  /** Turns authentication on; what this class asks, it then asks as root. */
  async enableAuth(rootPassword: string, users: readonly TestUser[]): Promise<void> {
    await enableAuth(this.members[0]!.server.endpoint, rootPassword, users);
    this.access.auth = { username: 'root', password: rootPassword };
  }

  /** The proxies' addresses. */
  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  /** The member that a majority of those that answer calls the leader; waits until there is one. */
  async leader(timeoutMs = 15_000): Promise<EtcdMember> {
    return waitFor(() => this.findLeader(), { timeoutMs, intervalMs: 50, what: 'a leader' });
  }

  async followers(): Promise<EtcdMember[]> {
    const leader = await this.leader();
    return this.members.filter((member) => member !== leader);
  }

  /** Hands the leadership to a member, in an orderly way. */
  async moveLeader(to: EtcdMember): Promise<void> {
    const [leader, { id }] = await Promise.all([this.leader(), to.status()]);
    if (leader === to) return;
    using etcd = rawEtcd(leader.server.endpoint, this.access);
    await etcd.client.maintenance.moveLeader({ targetID: id }, { deadline: Date.now() + 5_000 });
    await waitFor(async () => (await this.leader()) === to, { what: `${to.name} to lead` });
  }

  /** Nothing passes between this member and the others any more, in silence; clients still reach it. */
  isolate(member: EtcdMember): void {
    const id = this.ids.get(member) as string;
    for (const { peers, name } of this.members) {
      if (!peers.proxy) throw new Error(`${name} has no proxy for its peers: start it with one.`);
      if (name === member.name) peers.proxy.shutAllOut();
      else peers.proxy.shutOut(id);
    }
  }

  /** Ends every isolation. */
  rejoin(): void {
    for (const { peers } of this.members) peers.proxy?.pass();
  }

  /**
   * Puts a new member without data in the place of one, dead or alive: another id, the same addresses. Begun
   * anew after a failure, it goes on where that was. Resolves when the new one has all that was there.
   */
  async replace(member: EtcdMember): Promise<void> {
    const { auth } = this.access;
    const leader = async () => (await this.leader()).server.endpoint;
    if (member === (await this.leader())) await member.stop();
    await changeMembers(leader, (list, change) => this.removeOld(member, list, change), auth);
    await member.kill();
    await changeMembers(leader, (list, change) => this.addNew(member, list, change), auth);
    await member.server.launch();
    // Not its health: a member that takes over a history of more than its quota has none until that is cured.
    const { revision } = await (await this.leader()).status();
    await waitFor(async () => (await member.status()).revision >= revision, {
      timeoutMs: 20_000,
      what: `${member.name} to catch up with revision ${revision}`,
    });
  }

  /** Heals every proxy and thaws and restarts every member, and waits until all are healthy. */
  async heal(): Promise<void> {
    await this.revive();
    await this.healthy();
  }

  /** Heals every proxy and thaws and restarts every member. */
  async revive(): Promise<void> {
    this.rejoin();
    await Promise.all(
      this.members.map(async ({ proxy, server }) => {
        await proxy.pass();
        if (server.running) server.thaw();
        else await server.launch();
      }),
    );
  }

  /** Resolves when every member has a leader and answers, and raises no alarm. */
  async healthy(): Promise<void> {
    await Promise.all(this.members.map(({ server }) => server.healthy()));
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.members.map(async ({ server, proxy, peers }) => {
        await server.kill();
        await proxy.close();
        await peers.proxy?.close();
      }),
    );
  }

  private readonly removeOld = async (
    member: EtcdMember,
    { members }: IMemberListResponse,
    change: Etcd3['cluster'],
  ): Promise<boolean> => {
    const ID = this.ids.get(member) as string;
    if (!members.some((listed) => listed.ID === ID)) return true;
    await change.memberRemove({ ID });
    return false;
  };

  private readonly addNew = async (
    member: EtcdMember,
    { members }: IMemberListResponse,
    change: Etcd3['cluster'],
  ): Promise<boolean> => {
    const { name, peers, server } = member;
    const added = members.find(({ peerURLs }) => peerURLs.includes(peers.url));
    if (!added) {
      await change.memberAdd({ peerURLs: [peers.url] });
      return false;
    }
    const others = members.filter((listed) => listed !== added);
    const all = [
      ...others.map((other) => `${other.name}=${other.peerURLs[0]}`),
      `${name}=${peers.url}`,
    ];
    // From here on this id is spent: one that had joined and lost its data again would have forgotten its votes.
    this.ids.set(member, added.ID);
    server.renew(placeOf(name, peers, all.join(','), 'existing'));
    return true;
  };

  private async identify(member: EtcdMember): Promise<void> {
    this.ids.set(member, (await member.status()).id);
  }

  private async findLeader(): Promise<EtcdMember | null> {
    const answers = await Promise.allSettled(this.members.map((member) => member.status()));
    const statuses = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : null));
    const majority = Math.floor(this.members.length / 2) + 1;
    const index = statuses.findIndex(
      (candidate) =>
        candidate !== null &&
        candidate.leaderId === candidate.id &&
        statuses.filter((status) => status?.leaderId === candidate.id).length >= majority,
    );
    return this.members[index] ?? null;
  }
}

async function peerWay(port: number, proxied: boolean): Promise<PeerWay> {
  const listenUrl = `http://127.0.0.1:${port}`;
  const proxy = proxied ? await PeerProxy.start(`127.0.0.1:${port}`) : null;
  return { url: proxy?.url ?? listenUrl, listenUrl, proxy };
}

function placeOf(
  name: string,
  { url, listenUrl }: PeerWay,
  members: string,
  state: 'new' | 'existing' = 'new',
): ClusterPlace {
  return { name, peerUrl: url, peerListenUrl: listenUrl, members, state };
}
