import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { type Gate, UP_GATE } from '../health/health-gate.js';
import { decodeInstanceRecord, type InstanceRecord } from '../instance-record.js';
import { decodeVerdictRecord } from '../verdict-record.js';
import type { HeldVerdicts, Suspect } from './held-verdicts.js';
import type { Sight } from './mass-failure.js';
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

/** The least time in which the others may decide whether a failure is to be believed, in milliseconds. */
const LEAST_WINDOW_MS = 10_000;
/** Intervals are up to a tenth longer than asked for. */
const LONGEST_INTERVAL = 1.1;

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
 *
 * When its probes fail, its verdict is held until it is to be believed.
 */
export class ProbedInstance implements Sight, Suspect {
  private readonly logger = new Logger('ServiceProber');
  private target: ProbeTarget | null = null;
  private found: Finding | null;

  /** @param known what this process has found of it before */
  constructor(
    private probed: Probed,
    known: Finding | null,
    private readonly writer: VerdictWriter,
    private readonly held: HeldVerdicts,
    private readonly tools: (kind: ProbedRecord['probe']['kind']) => ProbeTools,
  ) {
    this.found = known;
    this.update(probed);
  }

  /** What was found of the registration that stands, or stood last. */
  get finding(): Finding | null {
    return this.found;
  }

  get isWell(): boolean {
    return this.target !== null && this.found!.reason === null;
  }

  get failingSince(): number | null {
    return this.target?.failingSince ?? null;
  }

  get passedAt(): number {
    return this.target?.passedAt ?? -Infinity;
  }

  get windowMs(): number {
    return Math.max(LEAST_WINDOW_MS, this.roundMs(1));
  }

  /** How long another process needs at the most to find it down, with so many waiting for one turn. */
  lookMs(waiting: number): number {
    return this.roundMs(waiting) * (1 + (this.probed.record?.probe.failures ?? 0));
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

  publish(): void {
    const { gate, reason } = this.target!;
    this.found = { ...this.found!, gate, reason };
    this.tell(reason);
    this.writer.want(reason);
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
    const tools = this.tools(aim.spec.kind);
    const target = new ProbeTarget(aim, gate, tools, (moved) => this.judged(target, moved));
    this.target = target;
    target.start();
  }

  private stopProbing(): void {
    if (!this.target) return;
    // How many results in a row spoke against it is kept, too; what nobody was told of is not.
    const { gate } = this.target;
    const isHeld = gate.state === 'down' && this.found!.reason === null;
    this.found = { ...this.found!, gate: isHeld ? UP_GATE : gate };
    this.target.stop();
    this.target = null;
    this.held.release(this);
  }

  private judged(target: ProbeTarget, moved: boolean): void {
    if (moved && target.gate.state === 'down') return this.held.hold(this, target.failingSince!);
    if (moved) this.passed(target.gate);
    this.held.look();
  }

  private passed(gate: Gate): void {
    this.held.release(this);
    const wasTold = this.found!.reason !== null;
    this.found = { ...this.found!, gate, reason: null };
    if (wasTold) this.tell(null);
    this.writer.want(null);
  }

  private roundMs(waiting: number): number {
    const { intervalMs = 0, timeoutMs = 0 } = this.probed.record?.probe ?? {};
    return intervalMs * LONGEST_INTERVAL + timeoutMs * waiting;
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
