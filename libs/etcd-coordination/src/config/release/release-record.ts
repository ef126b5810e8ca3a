import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import type { ConfigIdentity } from '../config-identity.js';
import { layerPath, layersFor, type ConfigLayer } from '../config-layer.js';
import type { ConfigFormat } from '../config-options.js';

/**
 * Where a release stands.
 *
 * - `rolling`: under way; the controller widens it step by step
 * - `paused`: under way, and an operator holds it: it is not widened, but still taken back when it
 *   does harm
 * - `promoted`: over; its document is the layer's
 * - `rolled-back`: over; it was taken back by the controller, for the reason that it gives
 * - `aborted`: over; an operator took it back
 */
export type ReleaseState = 'rolling' | 'paused' | 'promoted' | 'rolled-back' | 'aborted';

/** How a release goes, as it was started. */
export interface ReleasePlan {
  /** Percent of the instances, ascending, the last one 100. */
  readonly steps: readonly number[];
  /** Those that carry all of these get it first, as a step of their own. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** Milliseconds for which every instance of a step must have been well before the next one. */
  readonly observeMs: number;
  /** Milliseconds that an instance has for applying the document. */
  readonly applyTimeoutMs: number;
}

/** One change of a release's state. */
export interface ReleaseTransition {
  /** Unique: whoever asks for it again after a lost answer knows by it that it is done. */
  readonly id: string;
  /** ISO 8601, by the clock of whoever made it. */
  readonly at: string;
  readonly state: ReleaseState;
  readonly step: number;
  /** How many instances it went to. */
  readonly targets: number;
  /** Who made it: an operator, or the instance that controls the release. */
  readonly by: string;
  /** What happened and why, as a sentence. */
  readonly what: string;
}

/** The state of a configuration's last release, as it stands in etcd. */
export interface ReleaseRecord {
  readonly id: string;
  readonly state: ReleaseState;
  readonly layer: ConfigLayer;
  readonly format: ConfigFormat;
  /** Of its document, in hexadecimal: whatever else stands in the document's key is not released. */
  readonly sha256: string;
  readonly plan: ReleasePlan;
  /** How many steps were begun: 0 while no instance has got it. */
  readonly step: number;
  /** The instances that are to apply the document; none any more once it is over. */
  readonly targets: readonly string[];
  /** The mod revision of the layer that it was made from, as a decimal; `0` if there was none. */
  readonly base: string;
  readonly author: string;
  readonly reason: string | null;
  /** Why it is over; null while it is not. */
  readonly ended: string | null;
  /** The last transitions, oldest first. The first one is the start, for as long as it is kept. */
  readonly history: readonly ReleaseTransition[];
}

/** Which document an instance is to apply in place of which layer's. */
export interface ReleaseCandidate {
  readonly releaseId: string;
  readonly layer: ConfigLayer;
  readonly format: ConfigFormat;
  /** Of the only document that is to be applied. */
  readonly sha256: string;
}

const STATES: readonly unknown[] = ['rolling', 'paused', 'promoted', 'rolled-back', 'aborted'];
const FORMATS: readonly unknown[] = ['json', 'yaml', 'text'];

const logger = new Logger('ConfigReleases');
/** Views hand out the same bytes again and again, and those can be more than a megabyte. */
const digests = new WeakMap<Buffer, string>();
/** The mod revision of the last unreadable record that was warned of, by its key. */
const warnedOf = new Map<string, string>();

/** Whether a release still goes on. */
export function isUnderWay(
  record: ReleaseRecord | null,
): record is ReleaseRecord & { state: 'rolling' | 'paused' } {
  return record?.state === 'rolling' || record?.state === 'paused';
}

/** Whether a release's layer is among those that the instance merges. */
export function concerns(record: ReleaseRecord, identity: ConfigIdentity): boolean {
  return layersFor(identity).includes(record.layer);
}

/**
 * What this instance is to apply of a release, or null if nothing: it is over, has not reached
 * this instance yet, or is of a layer that this instance does not merge.
 */
export function candidateFor(
  record: ReleaseRecord | null,
  identity: ConfigIdentity,
): ReleaseCandidate | null {
  if (!isUnderWay(record) || !concerns(record, identity)) return null;
  if (!record.targets.includes(identity.instanceId)) return null;
  const { id: releaseId, layer, format, sha256 } = record;
  return { releaseId, layer, format, sha256 };
}

/** The SHA-256 of a release's document, in hexadecimal. */
export function digestOf(document: Buffer): string {
  let digest = digests.get(document);
  if (digest === undefined) {
    digest = createHash('sha256').update(document).digest('hex');
    digests.set(document, digest);
  }
  return digest;
}

/** How a record is written. */
export function encodeReleaseRecord(record: ReleaseRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/**
 * Reads a record. What is none, because somebody has put it by hand or a later version writes
 * others, is passed over: null. It is warned of once for each time that it is put, however many
 * parts of the process read it.
 */
export function readReleaseRecord({ key, value, mod_revision }: IKeyValue): ReleaseRecord | null {
  const text = value.toString();
  try {
    const record: unknown = JSON.parse(text);
    if (isRecord(record)) return record;
  } catch {
    // Said below.
  }
  const path = key.toString();
  if (warnedOf.get(path) === mod_revision) return null;
  warnedOf.set(path, mod_revision);
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  logger.warn(
    `A release's record cannot be read, and counts as none; start the release anew or delete the key: ${shown}`,
  );
  return null;
}

function isRecord(value: unknown): value is ReleaseRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<Record<keyof ReleaseRecord, unknown>>;
  return (
    isText(record.id) &&
    STATES.includes(record.state) &&
    isLayer(record.layer) &&
    FORMATS.includes(record.format) &&
    isText(record.sha256) &&
    /^[\da-f]{64}$/.test(record.sha256) &&
    isPlan(record.plan) &&
    isCount(record.step) &&
    Array.isArray(record.targets) &&
    record.targets.every(isText) &&
    isText(record.base) &&
    /^\d+$/.test(record.base) &&
    isText(record.author) &&
    isTextOrNull(record.reason) &&
    isTextOrNull(record.ended) &&
    Array.isArray(record.history) &&
    record.history.every(isTransition)
  );
}

function isPlan(value: unknown): value is ReleasePlan {
  if (typeof value !== 'object' || value === null) return false;
  const plan = value as Partial<Record<keyof ReleasePlan, unknown>>;
  return (
    Array.isArray(plan.steps) &&
    plan.steps.length > 0 &&
    plan.steps.every((step) => typeof step === 'number' && step > 0 && step <= 100) &&
    typeof plan.labels === 'object' &&
    !Array.isArray(plan.labels) &&
    Object.values(plan.labels ?? {}).every(isText) &&
    isCount(plan.observeMs) &&
    isCount(plan.applyTimeoutMs)
  );
}

function isTransition(value: unknown): value is ReleaseTransition {
  if (typeof value !== 'object' || value === null) return false;
  const { id, at, state, step, targets, by, what } = value as Partial<
    Record<keyof ReleaseTransition, unknown>
  >;
  return (
    [id, at, by, what].every(isText) && STATES.includes(state) && isCount(step) && isCount(targets)
  );
}

function isLayer(value: unknown): value is ConfigLayer {
  try {
    return layerPath(value as ConfigLayer).length > 0;
  } catch {
    return false;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
