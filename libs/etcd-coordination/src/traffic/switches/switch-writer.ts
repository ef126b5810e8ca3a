import { Logger } from '@nestjs/common';
import type { ConfigStore } from '../../config/config.store.js';
import { ConfigConflictError, ConfigInvalidError } from '../../config/config.errors.js';
import { isPlainObject } from '../../config/plain-object.js';
import { InvalidSwitchChangeError } from './switch.errors.js';
import { LAST_PRIORITY, LOAD_FOLDER, LOAD_NAME, SWITCH_FOLDER } from './switch-rule.js';

/** Who changes a switch, and why: both are kept. */
export interface SwitchChange {
  readonly author: string;
  readonly reason: string;
}

/** As {@link SwitchChange}, for a word that may end by itself. */
export interface TimedSwitchChange extends SwitchChange {
  /** After so many milliseconds the word ends by itself. Left out, it stands until it is taken back. */
  readonly forMs?: number;
}

/** So often a document is read anew that somebody else has changed meanwhile. */
const ATTEMPTS = 5;
const YEAR_MS = 365 * 86_400_000;

/** Writes what operators say of switches, as documents of the ConfigStore. */
export class SwitchWriter {
  private readonly logger = new Logger('Switches');

  constructor(
    private readonly ground: {
      readonly store: Pick<ConfigStore, 'get' | 'set'>;
      readonly now?: () => Date;
    },
  ) {}

  /** Sets a switch, or with `auto` takes back what was set. What else its document says stays. */
  async set(name: string, state: 'on' | 'off' | 'auto', change: TimedSwitchChange): Promise<void> {
    const what = `switch "${name}"`;
    if (!['on', 'off', 'auto'].includes(state)) {
      throw new InvalidSwitchChangeError(what, 'can be set to "on", "off" or "auto" only');
    }
    const { author, reason } = readChange(what, change);
    const forMs = readSpan(what, state, change.forMs);
    const at = this.now();
    const until = forMs === null ? null : new Date(at.getTime() + forMs).toISOString();
    const manual = state === 'auto' ? null : { state, author, reason, at: at.toISOString(), until };
    await this.change(`${SWITCH_FOLDER}/${name}`, manual, { author, reason });
  }

  /** Cuts the switches of this priority and of greater numbers, or none. */
  async cutFrom(priority: number | null, change: SwitchChange): Promise<void> {
    const what = 'cut of a class of switches';
    const isOne = priority !== null && Number.isInteger(priority) && priority >= 1;
    if (priority !== null && !(isOne && priority <= LAST_PRIORITY)) {
      throw new InvalidSwitchChangeError(
        what,
        `is from ${String(priority)}; give a whole number from 1 to ${LAST_PRIORITY}, or null to cut none`,
      );
    }
    const said = readChange(what, change);
    const document = { cutFrom: priority, ...said, at: this.now().toISOString() };
    await this.ground.store.set(`${LOAD_FOLDER}/${LOAD_NAME}`, document, said);
  }

  private async change(key: string, manual: object | null, said: SwitchChange): Promise<void> {
    const { store } = this.ground;
    for (let attempt = 1; ; attempt++) {
      const { fields, revision } = await this.read(key);
      const { manual: _, ...others } = fields;
      const document = manual === null ? others : { ...others, manual };
      try {
        const expected = revision === null ? {} : { expectedRevision: revision };
        await store.set(key, document, { layer: 'shared', ...said, ...expected });
        return;
      } catch (error) {
        if (!(error instanceof ConfigConflictError) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** What the document says, and the revision at which it did. */
  private async read(
    key: string,
  ): Promise<{ fields: Readonly<Record<string, unknown>>; revision: bigint | null }> {
    try {
      const { layers, revision } = await this.ground.store.get(key);
      const shared = layers.find(({ layer }) => layer === 'shared');
      const value = shared?.value;
      return { fields: isPlainObject(value) ? value : {}, revision };
    } catch (error) {
      if (!(error instanceof ConfigInvalidError)) throw error;
      // In an emergency nobody should first have to mend it; the history keeps it.
      this.logger.warn(`A document that is not valid is replaced: ${error.message}`);
      return { fields: {}, revision: null };
    }
  }

  private now(): Date {
    return this.ground.now?.() ?? new Date();
  }
}

function readChange(what: string, change: SwitchChange): SwitchChange {
  const given: Partial<Record<keyof SwitchChange, unknown>> | undefined = change;
  const [author, reason] = (['author', 'reason'] as const).map((name) => {
    const text = given?.[name];
    if (typeof text === 'string' && text.trim() !== '') return text;
    throw new InvalidSwitchChangeError(
      what,
      `was given no ${name}: say who changes it and why, for those who will ask`,
    );
  });
  return { author: author!, reason: reason! };
}

function readSpan(what: string, state: string, forMs: number | undefined): number | null {
  if (forMs === undefined) return null;
  if (state === 'auto') {
    throw new InvalidSwitchChangeError(
      what,
      'cannot be left to itself for a time: leave out forMs',
    );
  }
  if (Number.isFinite(forMs) && forMs > 0 && forMs <= YEAR_MS) return forMs;
  throw new InvalidSwitchChangeError(
    what,
    `was given ${String(forMs)} as forMs; give milliseconds above 0, up to a year`,
  );
}
