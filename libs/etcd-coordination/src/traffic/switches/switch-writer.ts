import { Logger } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigStore } from '../../config/config.store.js';
import { ConfigConflictError, ConfigInvalidError } from '../../config/config.errors.js';
import { mergeDocuments } from '../../config/config-merge.js';
import { isPlainObject } from '../../config/plain-object.js';
import { RuleFault } from '../rule-reader.js';
import { InvalidSwitchChangeError } from './switch.errors.js';
import {
  LAST_PRIORITY,
  LOAD_FOLDER,
  LOAD_NAME,
  SWITCH_FOLDER,
  SWITCH_KIND,
  type SwitchOptions,
} from './switch-rule.js';

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
/** Takes whatever there is. */
const ANYTHING: StandardSchemaV1 = {
  '~standard': {
    version: 1,
    vendor: 'nestjs-etcd-coordination',
    validate: (value) => ({ value }),
  },
};
const YEAR_MS = 365 * 86_400_000;

/** Writes what operators say of switches, as documents of the ConfigStore. */
export class SwitchWriter {
  private readonly logger = new Logger('Switches');

  constructor(
    private readonly ground: {
      readonly store: Pick<ConfigStore, 'get' | 'set' | 'history'>;
      readonly now?: () => Date;
    },
    /** What the documents are laid over. */
    private readonly declared: Readonly<Record<string, SwitchOptions>>,
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
    await insist(() => this.change(name, manual, { author, reason }));
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
    const key = `${LOAD_FOLDER}/${LOAD_NAME}`;
    await insist(() => this.ground.store.set(key, document, { layer: 'shared', ...said }));
  }

  private async change(name: string, manual: object | null, said: SwitchChange): Promise<void> {
    const key = `${SWITCH_FOLDER}/${name}`;
    const { value, revision } = await this.read(key);
    const others = this.soundFields(name, value);
    const document = manual === null ? others : { ...others, manual };
    const expected = revision === null ? {} : { expectedRevision: revision };
    // It was checked by itself: what the operator's own zone or instance adds must not keep it from the fleet.
    await this.ground.store.set(key, document, {
      ...{ layer: 'shared', schema: ANYTHING },
      ...said,
      ...expected,
    });
  }

  /** What the shared document says, and the revision at which it did; null if that is not known. */
  private async read(key: string): Promise<{ value: unknown; revision: bigint | null }> {
    const { store } = this.ground;
    try {
      const { layers, revision } = await store.get(key, { schema: ANYTHING });
      return { value: layers.find(({ layer }) => layer === 'shared')?.value ?? {}, revision };
    } catch (error) {
      if (!(error instanceof ConfigInvalidError)) throw error;
      // It may be another layer of this instance alone that cannot be read.
      const [newest] = await store.history(key, { layer: 'shared', limit: 1 });
      if (!newest || newest.deleted) return { value: {}, revision: newest?.revision ?? null };
      if (newest.document === null) throw error;
      return { value: parsed(newest.document), revision: newest.revision };
    }
  }

  /**
   * The fields that stay. With one that is wrong nobody would take the document: in an emergency nobody
   * should first have to mend it, and the history keeps what it was.
   */
  private soundFields(name: string, value: unknown): Readonly<Record<string, unknown>> {
    if (!isPlainObject(value)) {
      this.warn(name, 'is replaced, for it cannot be read');
      return {};
    }
    const { manual: _, ...fields } = value;
    for (;;) {
      const fault = faultOf([this.declared[name] ?? {}, fields]);
      if (!fault) return fields;
      const [field = ''] = fault.path.split('.');
      if (!Object.hasOwn(fields, field)) return fields;
      this.warn(name, `loses its field "${field}", for "${fault.path}" ${fault.fault}`);
      delete fields[field];
    }
  }

  private warn(name: string, what: string): void {
    this.logger.warn(
      `The document of the switch "${name}" ${what}; the history of its configuration keeps what it was.`,
    );
  }

  private now(): Date {
    return this.ground.now?.() ?? new Date();
  }
}

/** Tries again what others have come before with. */
async function insist(write: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await write();
      return;
    } catch (error) {
      if (!(error instanceof ConfigConflictError) || attempt === ATTEMPTS) throw error;
    }
  }
}

function faultOf(documents: readonly unknown[]): RuleFault | null {
  try {
    SWITCH_KIND.read(mergeDocuments(documents));
    return null;
  } catch (error) {
    if (error instanceof RuleFault) return error;
    throw error;
  }
}

function parsed(document: string): unknown {
  try {
    return JSON.parse(document);
  } catch {
    return undefined;
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
