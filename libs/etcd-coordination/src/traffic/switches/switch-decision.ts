import type { OwnWord } from './auto-switch.js';
import type { FleetWord } from './fleet-records.js';
import type { LoadRule, ManualWord, SwitchRule } from './switch-rule.js';
import type { SwitchStatus } from './switch-status.js';

/** The share of the calls that run while a switch is on trial. */
export const TRIAL_SHARE = 0.1;

/** All that has a say in a switch. */
export interface Voices {
  readonly rule: Pick<SwitchRule, 'priority' | 'manual'>;
  readonly load: LoadRule;
  /** The fleet's word and this process's own; null if the switch has no automatic rule. */
  readonly word: FleetWord | null;
  readonly own: OwnWord | null;
  readonly now: Date;
}

/** What one of them makes of it. */
type Decision = Omit<SwitchStatus, 'name' | 'priority' | 'scope' | 'until'> &
  Partial<Pick<SwitchStatus, 'scope' | 'until'>>;

/** What a switch is by all of them: an operator's word first, then the cut of its class, then its rule. */
export function decide(name: string, voices: Voices): SwitchStatus {
  const { rule, load } = voices;
  const of = { name, priority: rule.priority, scope: 'fleet', until: null } as const;
  if (rule.manual && !isOver(rule.manual, voices.now)) return { ...of, ...byHand(rule.manual) };
  if (load.cutFrom !== null && rule.priority >= load.cutFrom) {
    const { author: by, reason: why } = load;
    return { ...of, state: 'off', share: 0, source: 'class', by, why, since: dateOf(load.at) };
  }
  return { ...of, ...automatic(voices) };
}

function byHand({ state, author, reason, at, until }: ManualWord): Decision {
  return {
    ...{ state, share: state === 'on' ? 1 : 0, source: 'manual', by: author, why: reason },
    ...{ since: dateOf(at), until: dateOf(until) },
  };
}

function automatic({ word, own }: Voices): Decision {
  const isOff = { state: 'off', source: 'automatic' } as const;
  if (word?.state === 'off') {
    const { by, why, at: since } = word;
    // Whoever is well again goes on trying, until enough of the others are.
    const share = own && own.state !== 'cut' ? TRIAL_SHARE : 0;
    return { ...isOff, share, by, why, since };
  }
  if (own && own.state !== 'on') {
    const { why, since } = own;
    const share = own.state === 'trial' ? TRIAL_SHARE : 0;
    return { ...isOff, share, scope: 'instance', by: null, why, since };
  }
  const nobody = { by: null, why: null, since: null };
  return { state: 'on', share: 1, source: 'default', ...nobody };
}

function isOver({ until }: ManualWord, now: Date): boolean {
  return until !== null && Date.parse(until) <= now.getTime();
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
