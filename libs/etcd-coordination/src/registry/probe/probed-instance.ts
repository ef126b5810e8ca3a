import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { type Gate, UP_GATE } from '../health/health-gate.js';
import { decodeInstanceRecord, type InstanceRecord } from '../instance-record.js';
import { decodeVerdictRecord } from '../verdict-record.js';
import { probeAim } from './probe.js';
import { ProbeTarget, type ProbeTools } from './probe-target.js';
import type { Standing, VerdictWriter } from './verdict-writer.js';

/** An instance that asks to be probed, or a verdict that was left behind by one. */
export interface Probed extends Standing {
  readonly service: string;
  readonly id: string;
  /** Null if it does not ask for it (any more). */
  readonly record: ProbedRecord | null;
}

type ProbedRecord = InstanceRecord & { readonly probe: NonNullable<InstanceRecord['probe']> };

/** What was found of one registration. Its mark is never another one's. */
export interface Finding {
  readonly mark: string;
  readonly gate: Gate;
  /** Why it is down; null while it is up. */
  readonly reason: string | null;
}

/** What etcd says of an instance, as far as a prober needs it. */
export function readProbed(
  service: string,
  id: string,
  instance: IKeyValue | undefined,
  verdict: IKeyValue | undefined,
): Probed {
  const record = instance ? decodeInstanceRecord(instance.value) : null;
  const asks = record !== null && record.probe !== null;
  return { service, id, instance, verdict, record: asks ? (record as ProbedRecord) : null };
}

/**
 * One instance that this process probes: its target, and its verdict. While the instance itself says
 * that it is starting or draining it gets no calls anyway, so it is not asked, and stays as it was.
 */
export class ProbedInstance {
  private readonly logger = new Logger('ServiceProber');
  private target: ProbeTarget | null = null;
  private found: Finding | null;

  /** @param known what this process has found of it before */
  constructor(
    private probed: Probed,
    known: Finding | null,
    private readonly writer: VerdictWriter,
    private readonly tools: (kind: ProbedRecord['probe']['kind']) => ProbeTools,
  ) {
    this.found = known;
    this.update(probed);
  }

  /** What was found of the registration that stands, or stood last. */
  get finding(): Finding | null {
    return this.found;
  }

  update(probed: Probed): void {
    this.probed = probed;
    const { record } = probed;
    if (record && record.mark !== this.found?.mark) {
      this.stopProbing();
      this.found = firstFinding(record, probed);
    }
    if (!record || !isAsked(record)) this.stopProbing();
    else this.probe(record, this.found!);
    this.writer.want(record ? this.found!.reason : null, probed);
  }

  /** Asks no more, and leaves the verdict as it stands. */
  async close(): Promise<void> {
    this.stopProbing();
    await this.writer.close();
  }

  private probe(record: ProbedRecord, { gate }: Finding): void {
    const aim = probeAim(record, record.probe);
    if (this.target && isDeepStrictEqual(this.target.aim, aim)) return;
    this.stopProbing();
    const target = new ProbeTarget(aim, gate, this.tools(aim.spec.kind), () => this.moved(target));
    this.target = target;
    target.start();
  }

  private stopProbing(): void {
    if (!this.target) return;
    // How many results in a row spoke against it is kept, too.
    this.found = { ...this.found!, gate: this.target.gate };
    this.target.stop();
    this.target = null;
  }

  private moved(target: ProbeTarget): void {
    const { gate } = target;
    const reason = gate.state === 'down' ? target.reason : null;
    this.found = { ...this.found!, gate, reason };
    this.tell(reason);
    this.writer.want(reason);
  }

  private tell(reason: string | null): void {
    const { service, id } = this.probed;
    const name = `The instance "${id}" of the service "${service}"`;
    if (reason === null) this.logger.log(`${name} is up again: its probes pass.`);
    else this.logger.warn(`${name} is down: ${reason}.`);
  }
}

function isAsked({ state }: InstanceRecord): boolean {
  return state === 'up' || state === 'down';
}

/** Where probing begins: from the verdict that another prober has left on this very registration. */
function firstFinding({ mark }: InstanceRecord, { instance, verdict }: Probed): Finding {
  const said = verdict && decodeVerdictRecord(verdict.value);
  const isOfThis =
    said?.state === 'down' &&
    BigInt(verdict!.mod_revision) > BigInt(instance?.create_revision ?? '0');
  if (!isOfThis) return { mark, gate: UP_GATE, reason: null };
  const reason = said.reason ?? 'It was down when this prober took over';
  return { mark, gate: { state: 'down', against: 0 }, reason };
}
