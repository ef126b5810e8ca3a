import { BehaviorSubject } from 'rxjs';
import { instanceKey, verdictKey } from '../../libs/etcd-coordination/src/client/keys.js';
import { encodeInstanceRecord } from '../../libs/etcd-coordination/src/registry/instance-record.js';
import type { ProbeAim } from '../../libs/etcd-coordination/src/registry/probe/probe.js';
import type {
  ProberCandidate,
  ProberElection,
} from '../../libs/etcd-coordination/src/registry/probe/prober-election.js';
import { ServiceProber } from '../../libs/etcd-coordination/src/registry/probe/prober.js';
import type { ProbeSpec } from '../../libs/etcd-coordination/src/registry/service-instance.js';
import { decodeVerdictRecord } from '../../libs/etcd-coordination/src/registry/verdict-record.js';
import { FakeKv } from './fake-kv.js';
import { settle, VirtualClock } from './virtual-clock.js';

const SPEC = { intervalMs: 1000, timeoutMs: 100, failures: 2, passes: 2 };

/** Probers of the namespace `ns` in virtual time, on an etcd and in an election that are played. */
export class ProberStage {
  readonly kv = new FakeKv();
  readonly clock = new VirtualClock(0);
  readonly candidates = new BehaviorSubject<readonly ProberCandidate[]>([]);
  /** Who joined and left the election, in order. */
  readonly log: string[] = [];
  /** Ports that were probed. */
  readonly asked: number[] = [];
  /** What a probe by that prober comes to. */
  probe: (aim: ProbeAim, prober: string) => Promise<string | null> = async () => null;
  /** What the election refuses to do, if anything. */
  refusal: Error | null = null;
  private readonly probers: ServiceProber[] = [];

  /** Who stands in the election; whoever is given as an id does not doubt. */
  stand(...candidates: readonly (string | ProberCandidate)[]): void {
    const all = candidates.map((one) =>
      typeof one === 'string' ? { id: one, doubts: false } : one,
    );
    this.candidates.next(all);
  }

  /** @param joins whether it stands by itself; if not, {@link stand} says so */
  async start(
    instanceId = 'a',
    { perProber = 200, joins = false }: { perProber?: number; joins?: boolean } = {},
  ): Promise<ServiceProber> {
    const client = Object.assign(this.kv.client, { clock: this.clock });
    const election = this.election(instanceId, joins);
    const ground = { client, watch: this.kv.hub, namespace: 'ns', instanceId, election };
    const one = (aim: ProbeAim) => {
      this.asked.push(aim.port);
      return this.probe(aim, instanceId);
    };
    const probes = { http: one, tcp: one, grpc: one };
    const prober = new ServiceProber(ground, { perProber, probes, random: () => 0.5 });
    this.probers.push(prober);
    await prober.start();
    await settle();
    return prober;
  }

  register(
    id: string,
    some: {
      mark?: string;
      state?: 'up' | 'draining';
      port?: number;
      spec?: Partial<ProbeSpec>;
    } = {},
  ): void {
    const { mark = `mark of ${id}`, state = 'up', port = 80, spec } = some;
    const record = {
      ...{ address: `http://10.0.0.1:${port}`, protocol: 'http' as const, host: '10.0.0.1', port },
      ...{ zone: null, weight: 1, version: null, metadata: {}, reason: null, by: id, mark, state },
      probe: { kind: 'http' as const, port: null, target: '/', ...SPEC, ...spec },
    };
    this.kv.put(instanceKey('ns', 's', id), encodeInstanceRecord(record).toString(), '7');
  }

  deregister(id: string): void {
    this.kv.delete(instanceKey('ns', 's', id));
  }

  verdictOn(id: string) {
    const found = this.kv.kvs.get(verdictKey('ns', 's', id, 'probe'));
    return found ? decodeVerdictRecord(found.value) : null;
  }

  async close(): Promise<void> {
    const closed = Promise.all(this.probers.map((prober) => prober.close()));
    await this.clock.advance(2000);
    await closed;
  }

  private election(id: string, joins: boolean): ProberElection {
    return {
      candidates$: this.candidates,
      join: async (doubts) => {
        if (this.refusal) throw this.refusal;
        this.log.push(`${id} ${doubts ? 'doubts' : 'joined'}`);
        if (joins) this.enter({ id, doubts });
      },
      leave: async () => {
        this.log.push(`${id} left`);
        if (joins) this.candidates.next(this.candidates.value.filter((one) => one.id !== id));
      },
    };
  }

  /** At the end, or where it stands already. */
  private enter(candidate: ProberCandidate): void {
    const before = this.candidates.value;
    const stands = before.some(({ id }) => id === candidate.id);
    const replaced = before.map((one) => (one.id === candidate.id ? candidate : one));
    this.candidates.next(stands ? replaced : [...before, candidate]);
  }
}
