import { inspect } from 'node:util';
import { isPlainObject } from '../config/plain-object.js';

/** What a document, or a declaration, cannot say; whoever reads it knows whose it is. */
export class RuleFault extends Error {
  constructor(
    /** Where, such as `retry.attempts`; empty for the whole. */
    readonly path: string,
    /** As the end of a sentence: "is 0: give a whole number from 1 to 10". */
    readonly fault: string,
  ) {
    super(fault);
  }
}

interface NumberRule {
  readonly least: number;
  readonly most: number;
  /** What it is a number of, such as "milliseconds". */
  readonly unit?: string;
  /** Left out, the number has to be given. */
  readonly fallback?: number;
}

/** Reads the fields of one object of a rule, each with its own complaint. Null counts as left out. */
export class RuleReader {
  private constructor(
    private readonly path: string,
    private readonly given: Readonly<Record<string, unknown>>,
  ) {}

  /** @throws {RuleFault} if it is no object, or has a field that is not known */
  static of(given: unknown, known: readonly string[], path = ''): RuleReader {
    if (!isPlainObject(given)) {
      throw new RuleFault(path, `is ${shown(given)}: give an object with ${known.join(', ')}`);
    }
    const unknown = Object.keys(given).find(
      (name) => !known.includes(name) && given[name] !== undefined && given[name] !== null,
    );
    const reader = new RuleReader(path, given);
    if (unknown === undefined) return reader;
    throw new RuleFault(
      reader.pathOf(unknown),
      `is not known: the fields here are ${known.join(', ')}`,
    );
  }

  /** The object under a field; undefined if it was left out. */
  group(name: string, known: readonly string[]): RuleReader | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : RuleReader.of(value, known, this.pathOf(name));
  }

  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  whole(name: string, rule: NumberRule & { readonly fallback: number }): number;
  whole(name: string, rule: NumberRule): number;
  whole(name: string, rule: NumberRule): number {
    return this.number(name, rule, 'a whole number', Number.isInteger);
  }

  /** A number that need not be whole. */
  real(name: string, rule: NumberRule): number {
    return this.number(name, rule, 'a number', Number.isFinite);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.value(name);
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    throw this.wrong(name, 'give true or false');
  }

  oneOf<const T extends string>(name: string, choices: readonly T[], fallback?: T): T {
    const value = this.value(name);
    if (value === undefined && fallback !== undefined) return fallback;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw this.wrong(name, `give ${choices.map((choice) => `"${choice}"`).join(' or ')}`);
  }

  /** As it was given; undefined if it was left out. */
  value(name: string): unknown {
    return (Object.hasOwn(this.given, name) ? this.given[name] : undefined) ?? undefined;
  }

  /** The complaint about a field. */
  wrong(name: string, cure: string): RuleFault {
    const value = this.value(name);
    const state = value === undefined ? 'is missing' : `is ${shown(value)}`;
    return new RuleFault(this.pathOf(name), `${state}: ${cure}`);
  }

  private number(
    name: string,
    { least, most, unit, fallback }: NumberRule,
    kind: string,
    isKind: (value: unknown) => boolean,
  ): number {
    const value = this.value(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'number' && isKind(value) && value >= least && value <= most) return value;
    const of = unit === undefined ? '' : ` of ${unit}`;
    throw this.wrong(name, `give ${kind}${of} from ${least} to ${most}`);
  }

  private pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
