import { requireEtcd } from './etcd-binaries.js';
import { rawEtcd } from './raw-etcd.js';
import { EtcdServer } from './etcd-server.js';
import { freePorts } from './free-port.js';
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
}

/** A member: its server, and the proxy that clients reach it through. */
export class EtcdMember {
  constructor(
    readonly name: string,
    readonly server: EtcdServer,
    readonly proxy: TcpProxy,
  ) {}

  /** The proxy's address, which the member list shows too. */
  get endpoint(): string {
    return this.proxy.url;
  }

  /** What the member says of itself, past the proxy. */
  async status(): Promise<MemberStatus> {
    using etcd = rawEtcd(this.server.endpoint);
    const status = await etcd.client.maintenance.status({ deadline: Date.now() + 1_000 });
    return {
      id: status.header.member_id,
      leaderId: status.leader,
      revision: BigInt(status.header.revision),
    };
  }

  kill = () => this.server.kill();
  stop = () => this.server.stop();
  freeze = () => this.server.freeze();
  thaw = () => this.server.thaw();
  restart = () => this.server.restart();
}

export interface MemberStatus {
  readonly id: string;
  /** `"0"` while there is none. */
  readonly leaderId: string;
  readonly revision: bigint;
}

/** Real etcd members, each behind a proxy; peers talk past the proxies. */
export class EtcdCluster {
  private constructor(readonly members: readonly EtcdMember[]) {}

  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    const { size = 3, ...rest } = options;
    const binary = options.binary ?? (await requireEtcd(options.line));
    const peers = (await freePorts(size)).map((port) => `http://127.0.0.1:${port}`);
    const initial = peers.map((url, index) => `m${index}=${url}`).join(',');

    const members = await Promise.all(
      peers.map(async (peerUrl, index) => {
        const proxy = await TcpProxy.start();
        const server = await EtcdServer.create({
          ...rest,
          binary,
          advertise: proxy.url,
          cluster: { name: `m${index}`, peerUrl, members: initial },
        });
        proxy.target = server.address;
        await server.launch();
        return new EtcdMember(`m${index}`, server, proxy);
      }),
    );
    await Promise.all(members.map((member) => member.server.healthy()));
    return new EtcdCluster(members);
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
    using etcd = rawEtcd(leader.server.endpoint);
    await etcd.client.maintenance.moveLeader({ targetID: id }, { deadline: Date.now() + 5_000 });
    await waitFor(async () => (await this.leader()) === to, { what: `${to.name} to lead` });
  }

  /** Heals every proxy and thaws and restarts every member. */
  async heal(): Promise<void> {
    await Promise.all(
      this.members.map(async ({ proxy, server }) => {
        await proxy.pass();
        if (server.running) server.thaw();
        else await server.launch();
      }),
    );
    await Promise.all(this.members.map(({ server }) => server.healthy()));
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.members.map(async ({ server, proxy }) => {
        await server.kill();
        await proxy.close();
      }),
    );
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
