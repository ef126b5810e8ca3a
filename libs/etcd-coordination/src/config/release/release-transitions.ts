import {
  encodeReleaseRecord,
  type ReleasePlan,
  type ReleaseRecord,
  type ReleaseState,
  type ReleaseTransition,
} from './release-record.js';

/** What can happen to a release. */
export type ReleaseEvent =
  /** Its next step begins, with these targets. */
  | { readonly type: 'widen'; readonly targets: readonly string[]; readonly what: string }
  /** Others take the place of a step's targets, all of which have left. */
  | { readonly type: 'replace'; readonly targets: readonly string[]; readonly what: string }
  | { readonly type: 'pause' | 'resume' | 'promote' | 'abort'; readonly what: string }
  /** It is taken back by itself. */
  | { readonly type: 'roll-back'; readonly what: string };

export type ReleaseEventType = ReleaseEvent['type'];

/** Who makes a transition, and when. */
export interface TransitionStamp {
  /** Unique: see {@link ReleaseTransition.id}. */
  readonly id: string;
  readonly by: string;
  readonly at: Date;
}

/** How a release begins. */
export type ReleaseStart = Pick<
  ReleaseRecord,
  'id' | 'layer' | 'format' | 'sha256' | 'plan' | 'base' | 'author' | 'reason'
>;

/** How many transitions a record keeps. */
const HISTORY_KEPT = 50;
/** What people write is cut there. */
const LONGEST_TEXT = 300;
/** So long, in bytes, the record of a release that is over may be: it is written together with its document. */
const LONGEST_RECORD = 8 * 1024;

/** Where each event leads from each state; what is not listed cannot happen there. */
const NEXT: Record<ReleaseState, Partial<Record<ReleaseEventType, ReleaseState>>> = {
  rolling: {
    widen: 'rolling',
    replace: 'rolling',
    pause: 'paused',
    promote: 'promoted',
    'roll-back': 'rolled-back',
    abort: 'aborted',
  },
  paused: {
    resume: 'rolling',
    promote: 'promoted',
    'roll-back': 'rolled-back',
    abort: 'aborted',
  },
  promoted: {},
  'rolled-back': {},
  aborted: {},
};

/** The record of a release that begins now. */
export function startRelease(start: ReleaseStart, stamp: TransitionStamp): ReleaseRecord {
  const record: ReleaseRecord = {
    ...start,
    state: 'rolling',
    step: 0,
    targets: [],
    ended: null,
    history: [],
  };
  return entered(record, 'started', stamp);
}

/** The record after an event, or null if that cannot happen in its state. */
export function nextRelease(
  record: ReleaseRecord,
  event: ReleaseEvent,
  stamp: TransitionStamp,
): ReleaseRecord | null {
  const state = NEXT[record.state][event.type];
  if (!state) return null;
  if (state === 'rolling' || state === 'paused') {
    const { step, targets } = record;
    const isWider = event.type === 'widen';
    if (isWider && step === stepsOf(record.plan).length) return null;
    const next = {
      ...{ ...record, state, step: isWider ? step + 1 : step },
      targets: event.type === 'widen' || event.type === 'replace' ? event.targets : targets,
    };
    return entered(next, event.what, stamp);
  }
  const over = entered({ ...record, state, ended: clip(event.what) }, event.what, stamp);
  // Whose document it was means nothing any more, and a long list would be kept for good.
  return fitted({ ...over, targets: [] });
}

/** Whether a transition of that id was applied to the record, as far back as it knows. */
export function hasTransition(record: ReleaseRecord, id: string): boolean {
  return record.history.some((transition) => transition.id === id);
}

/** One step of a plan: a share of the instances in percent, or those that carry its labels. */
export type ReleaseStep = { readonly share: number } | { readonly share: null };

/** All steps of a plan in their order. */
export function stepsOf({ labels, steps }: ReleasePlan): readonly ReleaseStep[] {
  const shares = steps.map((share) => ({ share }));
  return labels ? [{ share: null }, ...shares] : shares;
}

function entered(record: ReleaseRecord, what: string, stamp: TransitionStamp): ReleaseRecord {
  const { state, step, targets, history } = record;
  const { id, by, at } = stamp;
  const transition: ReleaseTransition = {
    ...{ id, at: at.toISOString(), state, step, targets: targets.length },
    ...{ by: clip(by), what: clip(what) },
  };
  return { ...record, history: [...history, transition].slice(-HISTORY_KEPT) };
}

function fitted(record: ReleaseRecord): ReleaseRecord {
  const [, ...history] = record.history;
  if (history.length === 0 || encodeReleaseRecord(record).length <= LONGEST_RECORD) return record;
  return fitted({ ...record, history });
}

function clip(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
