import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ElectionService } from '../../../libs/etcd-coordination/src/election/election.service.js';
import { ElectedProbers } from '../../../libs/etcd-coordination/src/module/elected-probers.js';
import { PROBES, type Probe } from '../../../libs/etcd-coordination/src/registry/probe/probe.js';
import { ServiceProber } from '../../../libs/etcd-coordination/src/registry/probe/prober.js';
import { Member, NAMESPACE } from './member.js';

/** What lies between a prober and its instances. */
interface Network {
  isCut: boolean;
}

function probesOver(network: Network): typeof PROBES {
  const over =
    (probe: Probe): Probe =>
    (aim, signal) =>
      network.isCut ? Promise.resolve('its network cannot be reached') : probe(aim, signal);
  return { http: over(PROBES.http), tcp: over(PROBES.tcp), grpc: over(PROBES.grpc) };
}

/** One process that takes part in probing. */
export class ProbingMember {
  private constructor(
    readonly member: Member,
    readonly elections: ElectionService,
    readonly prober: ServiceProber,
    private readonly network: Network,
  ) {}

  static async start(id: string, endpoint: string, ttlSeconds = 2): Promise<ProbingMember> {
    const member = await Member.start(id, endpoint, { ttlSeconds });
    const { client, session, watch } = member;
    const parts = { client, session, watch, namespace: NAMESPACE, instanceId: id };
    const elections = new ElectionService(parts);
    const network: Network = { isCut: false };
    const election = new ElectedProbers(elections);
    const prober = new ServiceProber({ ...parts, election }, { probes: probesOver(network) });
    await prober.start();
    return new ProbingMember(member, elections, prober, network);
  }

  /** Cuts this process off from all instances, or ends that. It reaches etcd all the while. */
  cutOff(isCut = true): void {
    this.network.isCut = isCut;
  }

  async close(): Promise<void> {
    await this.prober.close();
    await this.elections.withdraw();
    await this.elections.handOver(0);
    await this.member.close();
  }

  /** As a process that is killed leaves it. */
  async crash(): Promise<void> {
    await this.member.crash();
    await this.prober.close();
  }
}

/** An instance that answers probes as the test says. */
export class Target {
  status = 200;
  requests = 0;
  private readonly server: Server;

  constructor() {
    this.server = createServer((_, response) => {
      this.requests += 1;
      response.writeHead(this.status).end();
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
  }
}
