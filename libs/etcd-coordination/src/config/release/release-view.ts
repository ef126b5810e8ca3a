import type { ConfigLayer } from '../config-layer.js';
import { whatItWaitsFor } from './release-observation.js';
import { isUnderWay, type ReleaseState } from './release-record.js';
import type { ReleaseReport } from './release-report.js';
import type { FoundRelease } from './release-store.js';
import { stepsOf } from './release-transitions.js';

/** One instance that has the document of a release, or is to have it. */
export interface ReleaseCanary {
  readonly instanceId: string;
  /** `missing`: there is no word of it; it may be dead. */
  readonly state: ReleaseReport['state'] | 'missing';
  readonly healthy: boolean;
  readonly healthyBefore: boolean;
  /** Why it rejected the document, or why it is unhealthy; null if neither. */
  readonly reason: string | null;
  /** It shuts down, or has shut down, in good order. */
  readonly leaving: boolean;
}

/** One change of a release's state, as it is shown. */
export interface ReleaseHistoryEntry {
  /** By the clock of whoever made it. */
  readonly at: Date;
  readonly state: ReleaseState;
  readonly step: number;
  /** How many instances it went to. */
  readonly targets: number;
  /** Who made it: an operator, or the instance that controls the release. */
  readonly by: string;
  readonly what: string;
}

/** A release, as it is shown to people. */
export interface ReleaseView {
  readonly id: string;
  /** The configuration's name. */
  readonly key: string;
  readonly layer: ConfigLayer;
  readonly state: ReleaseState;
  /** How many steps were begun: 0 while no instance has got the document. */
  readonly step: number;
  /** How many steps there are, that of the labels included. */
  readonly steps: number;
  /** The percentage of the step that was begun last; null before the first one, and for that of the labels. */
  readonly share: number | null;
  readonly labels: Readonly<Record<string, string>> | null;
  /** The ids of the instances that have the document, or are to have it; none once it is over. */
  readonly targets: readonly string[];
  /** The same instances with what they say of it. */
  readonly canaries: readonly ReleaseCanary[];
  /** How many instances take part, those without the document included. */
  readonly instances: number;
  /** What it waits for, in words that follow "it waits for"; null once it is over. */
  readonly waitsFor: string | null;
  readonly author: string;
  readonly reason: string | null;
  /** Since when it is in this state and step, by the clock of whoever brought it there. */
  readonly since: Date;
  /** Why it is over; null while it is not. */
  readonly ended: string | null;
  /** The last transitions, oldest first. */
  readonly history: readonly ReleaseHistoryEntry[];
}

/** Shows what etcd holds of a release. */
export function releaseView(
  key: string,
  { record, reports }: Pick<FoundRelease, 'record' | 'reports'>,
): ReleaseView {
  const { id, layer, state, step, plan, targets, author, reason, ended } = record;
  const steps = stepsOf(plan);
  const history = record.history.map(({ at, state, step, targets, by, what }) => ({
    ...{ at: new Date(at), state, step, targets, by, what },
  }));
  return {
    ...{ id, key, layer, state, step, targets, author, reason, ended, history },
    steps: steps.length,
    share: steps[step - 1]?.share ?? null,
    labels: plan.labels,
    canaries: targets.map((instanceId) => canary(instanceId, reports.get(instanceId))),
    instances: [...reports.values()].filter(({ leaving }) => !leaving).length,
    waitsFor: isUnderWay(record) ? whatItWaitsFor({ record, reports }) : null,
    since: history.at(-1)?.at ?? new Date(NaN),
  };
}

function canary(instanceId: string, report: ReleaseReport | undefined): ReleaseCanary {
  if (!report) {
    return {
      ...{ instanceId, state: 'missing', healthy: false, healthyBefore: false },
      ...{ reason: null, leaving: false },
    };
  }
  const { state, healthy, healthyBefore, reason, leaving } = report;
  return { instanceId, state, healthy, healthyBefore, reason, leaving };
}
