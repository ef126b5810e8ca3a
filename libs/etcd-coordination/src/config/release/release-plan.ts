import { createHash } from 'node:crypto';
import type { ReleasePlan, ReleaseRecord } from './release-record.js';
import { stepsOf } from './release-transitions.js';
import { InvalidReleasePlanError } from './release.errors.js';

/** How a release goes; whatever is left out has its default. */
export interface ReleasePlanOptions {
  /**
   * The share of the instances that have the document after each step, in percent: ascending, the
   * last one 100. Of a share, at least one instance is taken. Default `[10, 50, 100]`.
   */
  readonly steps?: readonly number[];
  /** The instances that carry all of these labels get it first: a step of its own, before `steps`. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Milliseconds for which every instance that has the document must say without a break that it
   * is well before the next step; one that never does holds the release where it is. Make it longer than the session's TTL: an instance that dies is not known to be dead
   * sooner. Default 60000.
   */
  readonly observeMs?: number;
  /** Milliseconds that an instance has for applying the document. Default 30000. */
  readonly applyTimeoutMs?: number;
}

/** A timer takes no more. */
const LONGEST_MS = 2 ** 31 - 1;
const MAX_STEPS = 20;
const MAX_LABELS = 10;
const MAX_LABEL_LENGTH = 100;

/**
 * The plan that the options make.
 *
 * @throws {InvalidReleasePlanError} naming what is wrong with it
 */
export function readReleasePlan(key: string, options: ReleasePlanOptions): ReleasePlan {
  const { steps = [10, 50, 100], labels, observeMs = 60_000, applyTimeoutMs = 30_000 } = options;
  const fault =
    stepsFault(steps) ??
    labelsFault(labels) ??
    spanFault('observeMs', observeMs, 0) ??
    spanFault('applyTimeoutMs', applyTimeoutMs, 1);
  if (fault !== null) throw new InvalidReleasePlanError(key, fault);
  return {
    steps: [...steps],
    labels: labels === undefined ? null : { ...labels },
    ...{ observeMs, applyTimeoutMs },
  };
}

/**
 * Who is to have the document at a step: all that had it before, and so many of those who are
 * here as its share asks for. Whose turn it is, a hash decides: another order for each release,
 * and the same one whoever works it out. An instance that appears later takes its place in that
 * order, and takes nobody's document away.
 *
 * @param step the number of the step, from 1
 * @param here the labels of every instance that is here, by its id
 */
export function targetsAt(
  { id, plan, targets }: Pick<ReleaseRecord, 'id' | 'plan' | 'targets'>,
  step: number,
  here: ReadonlyMap<string, Readonly<Record<string, string>>>,
): readonly string[] {
  const { share } = stepsOf(plan)[step - 1]!;
  const before = new Set(targets);
  const others = [...here.keys()].filter((instance) => !before.has(instance));
  const [first, last] = [true, false].map((does) =>
    inOrder(
      id,
      others.filter((one) => carries(here.get(one)!, plan) === does),
    ),
  );
  if (share === null) return [...targets, ...first!];
  const have = here.size - others.length;
  const missing = Math.max(0, Math.ceil((share * here.size) / 100) - have);
  return [...targets, ...[...first!, ...last!].slice(0, missing)];
}

function carries(own: Readonly<Record<string, string>>, { labels }: ReleasePlan): boolean {
  return Object.entries(labels ?? {}).every(
    ([name, value]) => Object.hasOwn(own, name) && own[name] === value,
  );
}

function inOrder(releaseId: string, instances: readonly string[]): string[] {
  const place = (instance: string) =>
    createHash('sha256').update(`${releaseId}/${instance}`).digest('hex');
  return instances
    .map((instance) => ({ instance, place: place(instance) }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ instance }) => instance);
}

function stepsFault(steps: unknown): string | null {
  if (!Array.isArray(steps) || steps.length === 0) {
    return 'has steps that are no list of percentages; give some such as [10, 50, 100]';
  }
  if (steps.length > MAX_STEPS) return `has ${steps.length} steps; give ${MAX_STEPS} at most`;
  const bad: unknown = steps.find((s) => typeof s !== 'number' || !(s >= 1 && s <= 100));
  if (bad !== undefined) {
    return `has a step of ${show(bad)}; a step is a number of percent from 1 to 100`;
  }
  const falling = steps.findIndex((share, index) => index > 0 && share <= steps[index - 1]);
  if (falling > 0) {
    return `goes from ${steps[falling - 1]} to ${steps[falling]} percent; each step must be larger than the one before`;
  }
  if (steps.at(-1) !== 100) {
    return `ends at ${steps.at(-1)} percent; the last step must be 100, for everybody gets the document in the end`;
  }
  return null;
}

function labelsFault(labels: unknown): string | null {
  if (labels === undefined) return null;
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    return 'has labels that are no object; give some such as { canary: "yes" }';
  }
  const entries = Object.entries(labels);
  if (entries.length === 0) return 'has no label among its labels; name one, or leave them out';
  if (entries.length > MAX_LABELS) return `has more than ${MAX_LABELS} labels`;
  for (const [name, value] of entries) {
    if (typeof value !== 'string') {
      return `has a label ${show(name)} that is ${show(value)}; labels are strings`;
    }
    if (name.length + value.length > MAX_LABEL_LENGTH) {
      return `has a label ${show(name)} of more than ${MAX_LABEL_LENGTH} characters`;
    }
  }
  return null;
}

function spanFault(name: string, value: unknown, least: number): string | null {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= LONGEST_MS) {
    return null;
  }
  return `has ${name} of ${show(value)}; give whole milliseconds, from ${least} to ${LONGEST_MS}`;
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
