import type { DocumentKind } from '../live-documents.js';
import { RuleFault, RuleReader } from '../rule-reader.js';

/** When a switch cuts itself. At least one of the first three has to be given. */
export interface AutoOptions {
  /** Cut when this share of the calls fails, such as 0.5. A fault of the caller's own (HTTP 4xx) is none. */
  readonly errorRate?: number;
  /** Cut when more than one call of a hundred takes longer than this many milliseconds. */
  readonly p99Ms?: number;
  /** Cut when this process's event loop is held up for longer than this again and again, in milliseconds. */
  readonly eventLoopDelayMs?: number;
  /** How far back the rule looks, in milliseconds; and how long a trial takes. Default 10,000. */
  readonly windowMs?: number;
  /** With fewer calls in its window, an instance does not judge. Default 20. */
  readonly minCalls?: number;
  /** How long nothing is called before it is tried again, in milliseconds; doubles with each trial that fails. Default 30,000. */
  readonly recoverAfterMs?: number;
  /** The whole fleet is cut once more than this share of its instances have cut themselves. Default 0.5. */
  readonly quorum?: number;
}

/** A switch, as it is declared. Its document in etcd overrides single fields. */
export interface SwitchOptions {
  /** From 1, what matters most, to 9, what is cut first. Default 5. */
  readonly priority?: number;
  /** Left out, the switch never cuts itself. */
  readonly auto?: AutoOptions;
}

/** {@link AutoOptions} with everything filled in. */
export interface AutoRule {
  readonly errorRate: number | null;
  readonly p99Ms: number | null;
  readonly eventLoopDelayMs: number | null;
  readonly windowMs: number;
  readonly minCalls: number;
  readonly recoverAfterMs: number;
  readonly quorum: number;
}

/** What an operator has said. */
export interface ManualWord {
  readonly state: 'on' | 'off';
  readonly author: string | null;
  readonly reason: string | null;
  /** When it was said, as an ISO 8601 date. */
  readonly at: string | null;
  /** When it ends by itself; null if it stands until it is taken back. */
  readonly until: string | null;
}

/** What a switch is now: what was declared, with what its document says over it. */
export interface SwitchRule {
  readonly priority: number;
  readonly auto: AutoRule | null;
  readonly manual: ManualWord | null;
}

/** What is cut of all switches at once. */
export interface LoadRule {
  /** Switches of this priority and of greater numbers are cut; null if none is. */
  readonly cutFrom: number | null;
  readonly author: string | null;
  readonly reason: string | null;
  readonly at: string | null;
}

/** The greatest number of a priority: what is cut first. */
export const LAST_PRIORITY = 9;
/** Under which names the documents of switches stand. */
export const SWITCH_FOLDER = 'traffic/switches';
/** The document that cuts classes, and where it stands. */
export const LOAD_FOLDER = 'traffic';
export const LOAD_NAME = 'load';

const DAY_MS = 86_400_000;
const AUTO_FIELDS = [
  'errorRate',
  'p99Ms',
  'eventLoopDelayMs',
  'windowMs',
  'minCalls',
  'recoverAfterMs',
  'quorum',
] as const satisfies (keyof AutoOptions)[];
const WORD_FIELDS = ['author', 'reason', 'at'] as const;

/** The documents of switches. */
export const SWITCH_KIND: DocumentKind<SwitchRule> = {
  noun: 'switch',
  folder: SWITCH_FOLDER,
  read(fields) {
    const rule = RuleReader.of(fields, ['priority', 'auto', 'manual']);
    return {
      priority: rule.whole('priority', { least: 1, most: LAST_PRIORITY, fallback: 5 }),
      auto: readAuto(rule.group('auto', AUTO_FIELDS)),
      manual: readManual(rule.group('manual', ['state', 'until', ...WORD_FIELDS])),
    };
  },
};

/** The document `traffic/load`. */
export const LOAD_KIND: DocumentKind<LoadRule> = {
  noun: 'switch',
  folder: LOAD_FOLDER,
  read(fields) {
    const rule = RuleReader.of(fields, ['cutFrom', ...WORD_FIELDS]);
    const cutFrom = rule.has('cutFrom')
      ? rule.whole('cutFrom', { least: 1, most: LAST_PRIORITY })
      : null;
    return { cutFrom, ...readWord(rule) };
  },
};

function readAuto(auto: RuleReader | undefined): AutoRule | null {
  if (!auto) return null;
  const span = (name: string, least: number) =>
    auto.has(name) ? auto.real(name, { least, most: DAY_MS, unit: 'milliseconds' }) : null;
  const rule = {
    errorRate: auto.has('errorRate') ? auto.real('errorRate', { least: 0.001, most: 1 }) : null,
    p99Ms: span('p99Ms', 1),
    eventLoopDelayMs: span('eventLoopDelayMs', 1),
    windowMs: milliseconds(auto, 'windowMs', 1000, 10_000),
    minCalls: auto.whole('minCalls', { least: 1, most: 1_000_000, fallback: 20 }),
    recoverAfterMs: milliseconds(auto, 'recoverAfterMs', 100, 30_000),
    quorum: auto.real('quorum', { least: 0, most: 1, fallback: 0.5 }),
  };
  if (rule.errorRate === null && rule.p99Ms === null && rule.eventLoopDelayMs === null) {
    throw new RuleFault(
      'auto',
      'says nothing to go by: give errorRate, p99Ms or eventLoopDelayMs, or leave it out',
    );
  }
  // What takes longer than the window is seen by nobody who looks at it.
  if (rule.p99Ms !== null && rule.p99Ms >= rule.windowMs) {
    throw auto.wrong('p99Ms', `give less than windowMs, which is ${rule.windowMs}`);
  }
  return rule;
}

function milliseconds(auto: RuleReader, name: string, least: number, fallback: number): number {
  return auto.whole(name, { least, most: DAY_MS, unit: 'milliseconds', fallback });
}

function readManual(manual: RuleReader | undefined): ManualWord | null {
  if (!manual) return null;
  const state = manual.oneOf('state', ['on', 'off']);
  return { state, ...readWord(manual), until: readDate(manual, 'until') };
}

function readWord(rule: RuleReader): Pick<ManualWord, (typeof WORD_FIELDS)[number]> {
  const [author, reason] = (['author', 'reason'] as const).map((name) => readText(rule, name));
  return { author: author ?? null, reason: reason ?? null, at: readDate(rule, 'at') };
}

function readText(rule: RuleReader, name: string): string | null {
  const value = rule.value(name);
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw rule.wrong(name, 'give a text, or leave it out');
}

function readDate(rule: RuleReader, name: string): string | null {
  const text = readText(rule, name);
  if (text === null || Number.isFinite(Date.parse(text))) return text;
  throw rule.wrong(name, 'give a date such as "2026-11-23T12:00:00Z", or leave it out');
}
