import { targetsAt } from './release-plan.js';
import type { ReleaseRecord } from './release-record.js';
import type { StandingReport } from './release-report.js';
import { stepsOf, type ReleaseEvent } from './release-transitions.js';

/** How long a controller waits for what, in milliseconds. */
export interface ObservationTimings {
  /** For instances to come forward, before the first ones get the document. */
  readonly gatherMs: number;
  /**
   * For the report of an instance that is gone. One that has lost its lease and taken another,
   * as after an outage of etcd, puts its report again within that.
   */
  readonly vanishedMs: number;
}

export const OBSERVATION_TIMINGS: ObservationTimings = { gatherMs: 1000, vanishedMs: 5000 };

/** What a controller sees of a release, all at one revision if it is to act on it. */
export interface ReleaseSight {
  readonly record: ReleaseRecord;
  /** By instance, those of this release only. */
  readonly reports: ReadonlyMap<string, StandingReport>;
  /** The mod revision of the layer's document now, as a decimal; `0` if there is none. */
  readonly layerRevision: string;
  /** What stands in the key of the release's document: that, or what others have put there, or nothing. */
  readonly document: 'own' | 'other' | 'missing';
}

/** What is to happen next. */
export type ReleaseDecision =
  | { readonly event: ReleaseEvent }
  /** Nothing before that moment of the clock, unless something changes; null: not before that. */
  | { readonly event: null; readonly until: number | null; readonly waitsFor: string };

/**
 * What one controller, in one term, has seen of a release, by its own monotonic clock: it decides
 * what is to happen. It asks nobody and changes nothing. What it knows of times ends with it: the
 * next controller watches the step that it finds from the beginning.
 */
export class ReleaseObservation {
  private readonly since: number;
  /** Which step the following are about. */
  private step = '';
  /** Since when every instance that has the document has been saying, without a break, that it is well. */
  private wellSince: number | null = null;
  /** The mod revision of each one's word: another one means that it said something else between. */
  private readonly saidAt = new Map<string, string>();
  private readonly missingSince = new Map<string, number>();
  private readonly lateSince = new Map<string, number>();

  constructor(
    now: number,
    private readonly timings: ObservationTimings = OBSERVATION_TIMINGS,
  ) {
    this.since = now;
  }

  /** Looks at the release as it is `now`. */
  look(now: number, sight: ReleaseSight): ReleaseDecision {
    const { record, reports } = sight;
    this.enter(record);
    const harm = harmOf(sight) ?? this.vanished(now, sight);
    if (harm !== null) return { event: { type: 'roll-back', what: harm } };
    if (record.state === 'paused') return wait(this.nextMissing(), 'an operator to resume it');
    const present = record.targets.flatMap((id) => {
      const report = reports.get(id);
      return report && !report.leaving ? [report] : [];
    });
    if (this.missingSince.size > 0) {
      this.wellSince = null;
      const [missing] = this.missingSince.keys();
      return wait(this.nextMissing(), `the instance "${missing}" to come back`);
    }
    if (present.length === 0) return this.choose(now, sight);
    return this.watch(now, sight, present);
  }

  /** The first targets, or others where all targets of a step have left in good order. */
  private choose(now: number, sight: ReleaseSight): ReleaseDecision {
    const { record, reports } = sight;
    const gathered = this.since + this.timings.gatherMs;
    if (now < gathered) return wait(gathered, 'instances to come forward');
    const here = instancesHere(reports);
    const step = Math.max(1, record.step);
    const targets = targetsAt(record, step, here);
    if (targets.length === record.targets.length) return wait(null, whomItWaitsFor(sight));
    if (record.step === 0) return widen(sight, targets);
    const what = `all that had it have left; ${count(targets.length - record.targets.length)} of ${here.size} get it in their place`;
    return { event: { type: 'replace', targets, what } };
  }

  private watch(
    now: number,
    sight: ReleaseSight,
    present: readonly StandingReport[],
  ): ReleaseDecision {
    const { plan, step } = sight.record;
    const late = this.late(now, present);
    if (late) {
      this.wellSince = null;
      const { instanceId, reason } = late.report;
      const end = late.since + plan.applyTimeoutMs;
      if (now < end) return wait(end, `the instance "${instanceId}" to apply it`);
      const why = reason === null ? '' : `: ${reason}`;
      const what = `the instance "${instanceId}" did not apply it within ${plan.applyTimeoutMs} ms${why}`;
      return { event: { type: 'roll-back', what } };
    }
    if (this.haveSpoken(present)) this.wellSince = null;
    const unwell = present.find(({ healthy }) => !healthy);
    if (unwell) {
      this.wellSince = null;
      return wait(null, toBeWell(unwell));
    }
    this.wellSince ??= now;
    const end = this.wellSince + plan.observeMs;
    if (now < end) return wait(end, `${plan.observeMs} ms to pass with every instance well`);
    if (step < stepsOf(plan).length) {
      return widen(sight, targetsAt(sight.record, step + 1, instancesHere(sight.reports)));
    }
    return { event: { type: 'promote', what: 'every step went well' } };
  }

  /** Each transition, a pause and its end included, begins the observation anew. */
  private enter({ id, step, targets, history }: ReleaseRecord): void {
    const entered = `${id}/${step}/${targets.length}/${history.at(-1)?.id}`;
    if (this.step === entered) return;
    this.step = entered;
    this.lateSince.clear();
    this.wellSince = null;
  }

  /** Who has died: its report is gone, and it did not say that it leaves. */
  private vanished(now: number, { record, reports }: ReleaseSight): string | null {
    for (const id of record.targets) {
      if (reports.has(id)) this.missingSince.delete(id);
      else if (!this.missingSince.has(id)) this.missingSince.set(id, now);
    }
    for (const [id, since] of this.missingSince) {
      if (now >= since + this.timings.vanishedMs) {
        return `the instance "${id}" vanished without saying that it leaves`;
      }
    }
    return null;
  }

  /** Of those that have yet to apply it, the one that has had the longest time for it. */
  private late(
    now: number,
    present: readonly StandingReport[],
  ): { report: StandingReport; since: number } | null {
    const late = present.flatMap((report) => {
      const { instanceId, state } = report;
      if (state !== 'waiting') {
        this.lateSince.delete(instanceId);
        return [];
      }
      const since = this.lateSince.get(instanceId) ?? now;
      this.lateSince.set(instanceId, since);
      return [{ report, since }];
    });
    return late.sort((a, b) => a.since - b.since)[0] ?? null;
  }

  /** Whether any of them has said something since it was looked at last, seen or not. */
  private haveSpoken(present: readonly StandingReport[]): boolean {
    const news = present.filter(({ instanceId, modRevision }) => {
      return this.saidAt.get(instanceId) !== modRevision;
    });
    for (const { instanceId, modRevision } of news) this.saidAt.set(instanceId, modRevision);
    return news.length > 0;
  }

  private nextMissing(): number | null {
    if (this.missingSince.size === 0) return null;
    return Math.min(...this.missingSince.values()) + this.timings.vanishedMs;
  }
}

/** What a release waits for, as far as etcd tells. */
export function whatItWaitsFor({
  record,
  reports,
}: Pick<ReleaseSight, 'record' | 'reports'>): string {
  if (record.state === 'paused') return 'an operator to resume it';
  const own = record.targets.flatMap((id) => reports.get(id) ?? []);
  const late = own.find(({ state, leaving }) => state === 'waiting' && !leaving);
  if (late) return `the instance "${late.instanceId}" to apply it`;
  const missing = record.targets.find((id) => !reports.has(id));
  if (missing !== undefined) return `the instance "${missing}" to come back`;
  const unwell = own.find(({ healthy, leaving }) => !healthy && !leaving);
  if (unwell) return toBeWell(unwell);
  if (own.some(({ leaving }) => !leaving)) {
    return `${record.plan.observeMs} ms to pass with every instance well`;
  }
  return whomItWaitsFor({ record, reports });
}

function toBeWell({ instanceId, reason }: StandingReport): string {
  return `the instance "${instanceId}" to be well${reason === null ? '' : ` (${reason})`}`;
}

/** The reports of the instances that are here to stay, by instance, with their labels. */
function instancesHere(
  reports: ReadonlyMap<string, StandingReport>,
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const staying = [...reports.values()].filter(({ leaving }) => !leaving);
  return new Map(staying.map(({ instanceId, labels }) => [instanceId, labels]));
}

function whomItWaitsFor({ record, reports }: Pick<ReleaseSight, 'record' | 'reports'>): string {
  const here = instancesHere(reports).size;
  if (here === 0) return 'an instance that follows the configuration and merges its layer';
  const { share } = stepsOf(record.plan)[Math.max(1, record.step) - 1]!;
  if (share !== null) return 'its first instances to be chosen';
  const labels = JSON.stringify(record.plan.labels);
  return `an instance that carries the labels ${labels}; ${here} are here without them`;
}

/** What makes a release be taken back at once. */
function harmOf(sight: ReleaseSight): string | null {
  const { record, reports, layerRevision, document } = sight;
  if (layerRevision !== record.base) {
    return `the layer "${record.layer}" was changed while it was under way (it was made from revision ${record.base}, and ${layerRevision} stands)`;
  }
  if (document === 'missing') return 'its document was deleted';
  if (document === 'other') return 'its document was overwritten by others';
  for (const id of record.targets) {
    const report = reports.get(id);
    if (!report || report.leaving) continue;
    const why = report.reason ?? 'no reason given';
    if (report.state === 'rejected') return `the instance "${id}" rejected it: ${why}`;
    if (report.state === 'applied' && report.hasBeenWell && !report.healthy) {
      const when = report.healthyBefore ? 'before it applied it' : 'once it had applied it';
      return `the instance "${id}" was well ${when}, and is not any more: ${why}`;
    }
  }
  return null;
}

function widen({ record, reports }: ReleaseSight, targets: readonly string[]): ReleaseDecision {
  const step = record.step + 1;
  const { share } = stepsOf(record.plan)[step - 1]!;
  const aim = share === null ? 'those with its labels' : `${share} percent`;
  const here = instancesHere(reports);
  const have = targets.filter((id) => here.has(id)).length;
  const what = `step ${step}, ${aim}: ${have} of ${count(here.size)} have it`;
  return { event: { type: 'widen', targets, what } };
}

function wait(until: number | null, waitsFor: string): ReleaseDecision {
  return { event: null, until, waitsFor };
}

function count(instances: number): string {
  return instances === 1 ? '1 instance' : `${instances} instances`;
}
