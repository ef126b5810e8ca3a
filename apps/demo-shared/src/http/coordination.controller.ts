import { Controller, Get, Inject } from '@nestjs/common';
import { ElectionService, EtcdSession } from 'nestjs-etcd-coordination';
import { RECONCILER } from '../data/demo-keys.js';
import { DEMO_SETTINGS, type DemoSettings } from '../settings.js';

/** How this process sees the fleet. */
export interface CoordinationView {
  readonly instanceId: string;
  readonly election: string;
  readonly session: {
    readonly state: string;
    /** The lease's id in hexadecimal, as etcdctl writes it; null where there is none. */
    readonly leaseId: string | null;
    /** What etcd granted, in seconds; null where there is no lease. */
    readonly ttlSeconds: number | null;
  };
  /** This process's own term; null while another one leads. */
  readonly term: { readonly epoch: string; readonly remainingMs: number } | null;
  readonly leader: {
    readonly leaderId: string;
    readonly value: string;
    readonly epoch: string;
  } | null;
  /** Who stands, the leader first; null if etcd did not answer. */
  readonly candidates: readonly { readonly candidateId: string; readonly since: string }[] | null;
}

/** `GET /coordination`: all that this process knows of itself and the others. */
@Controller('coordination')
export class CoordinationController {
  constructor(
    private readonly elections: ElectionService,
    private readonly session: EtcdSession,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  @Get()
  async view(): Promise<CoordinationView> {
    const candidates = await this.candidates();
    const term = this.elections.term(RECONCILER);
    const leader = this.elections.leader(RECONCILER);
    const { lease, state } = this.session;
    return {
      instanceId: this.settings.instanceId,
      election: RECONCILER,
      session: {
        state,
        leaseId: lease ? BigInt(lease.id).toString(16) : null,
        ttlSeconds: lease ? lease.ttlMs / 1000 : null,
      },
      term: term && {
        epoch: term.epoch.toString(),
        remainingMs: Math.round(term.remainingMs()),
      },
      leader: leader && {
        leaderId: leader.leaderId,
        value: leader.value,
        epoch: leader.epoch.toString(),
      },
      candidates,
    };
  }

  /** The only part that asks etcd: the rest of the view must stand without it. */
  private async candidates(): Promise<CoordinationView['candidates']> {
    try {
      const candidates = await this.elections.candidates(RECONCILER);
      return candidates.map(({ candidateId, since }) => ({ candidateId, since: since.toString() }));
    } catch {
      return null;
    }
  }
}
