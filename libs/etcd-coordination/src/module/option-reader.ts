import { didYouMean } from './did-you-mean.js';
import { InvalidOptionError, shown } from './invalid-option.error.js';

/** What is told to the whole fleet, or a part of every key, is to be short. */
const MAX_TEXT_BYTES = 1024;
const TEXT_ADVICE = `give a string that is not empty, of ${MAX_TEXT_BYTES} bytes at most.`;

interface WholeNumberRule {
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
  readonly unit: string;
  readonly hint?: string;
}

/** Reads one group of options, naming each that is wrong by its whole path. */
export class OptionReader {
  private constructor(
    private readonly path: string,
    private readonly given: Readonly<Record<string, unknown>>,
  ) {}

  /** Reads what `forRoot` was given. */
  static root(given: unknown, known: readonly string[]): OptionReader {
    if (!isRecord(given)) {
      throw new InvalidOptionError(
        'options',
        given,
        `is ${shown(given)}: give an object, at least { endpoints: ['127.0.0.1:2379'] }.`,
      );
    }
    return new OptionReader('', given).refuseUnknown(known);
  }

  /** Reads a group inside of this one, or gives undefined if it was left out. */
  group(name: string, known: readonly string[]): OptionReader | undefined {
    const value = this.given[name];
    if (value === undefined) return undefined;
    if (isRecord(value)) return new OptionReader(this.pathOf(name), value).refuseUnknown(known);
    // Not shown: it may be a password that was put one level too high.
    throw new InvalidOptionError(
      this.pathOf(name),
      undefined,
      `is ${value === null ? 'null' : typeof value}, not an object: give one with some of: ${known.join(', ')}.`,
    );
  }

  optional(name: string): unknown {
    return this.given[name];
  }

  text(name: string): string {
    const value = this.given[name];
    if (isText(value)) return value;
    throw this.wrong(name, value, TEXT_ADVICE);
  }

  optionalText(name: string): string | undefined {
    return this.given[name] === undefined ? undefined : this.text(name);
  }

  /** As {@link text}, and the value is kept out of the error. */
  secret(name: string): string {
    const value = this.given[name];
    if (typeof value === 'string' && value !== '') return value;
    const state =
      value === undefined ? 'is missing' : value === '' ? 'is empty' : 'is not a string';
    throw new InvalidOptionError(
      this.pathOf(name),
      undefined,
      `${state}: give a string that is not empty, or leave "${this.path}" out as a whole.`,
    );
  }

  wholeNumber(name: string, rule: WholeNumberRule): number {
    const value = this.given[name];
    if (value === undefined) return rule.fallback;
    if (
      typeof value === 'number' &&
      Number.isInteger(value) &&
      value >= rule.least &&
      value <= rule.most
    ) {
      return value;
    }
    const hint = rule.hint === undefined ? '' : ` (${rule.hint})`;
    throw this.wrong(
      name,
      value,
      `give a whole number of ${rule.unit} from ${rule.least} to ${rule.most}${hint}, or leave it out for ${rule.fallback}.`,
    );
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.given[name];
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    throw this.wrong(name, value, `give true or false, or leave it out for ${fallback}.`);
  }

  optionalFlag(name: string): boolean | undefined {
    const value = this.given[name];
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.wrong(name, value, 'give true or false, or leave it out.');
  }

  optionalPositiveNumber(name: string): number | undefined {
    const value = this.given[name];
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw this.wrong(name, value, 'give a number above 0.');
  }

  optionalTextRecord(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.given[name];
    if (value === undefined) return undefined;
    if (isRecord(value) && Object.values(value).every((item) => typeof item === 'string')) {
      return { ...(value as Record<string, string>) };
    }
    throw this.wrong(name, value, 'give an object whose values are strings.');
  }

  /** The error that an option of this group has a value that it cannot have. */
  wrong(name: string, value: unknown, cure: string): InvalidOptionError {
    const state = value === undefined ? 'is missing' : `is ${shown(value)}`;
    return new InvalidOptionError(this.pathOf(name), value, `${state}: ${cure}`);
  }

  private refuseUnknown(known: readonly string[]): this {
    // An option that is undefined was left out, as with `{ auth: process.env.X ? … : undefined }`.
    const unknown = Object.keys(this.given).find(
      (name) => !known.includes(name) && this.given[name] !== undefined,
    );
    if (unknown === undefined) return this;
    const meant = didYouMean(unknown, known);
    throw new InvalidOptionError(
      this.pathOf(unknown),
      undefined,
      meant === null
        ? `is not known. The options here are: ${known.join(', ')}.`
        : `is not known. Did you mean "${this.pathOf(meant)}"?`,
    );
  }

  private pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it is a text that others can be told: not empty and not huge. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_TEXT_BYTES;
}
