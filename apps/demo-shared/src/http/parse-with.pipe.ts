import { BadRequestException, type PipeTransform } from '@nestjs/common';

/** Collects what is wrong with an input, so that the caller hears all of it at once. */
export type Problems = string[];

/** Turns an unknown input into a `T`, or adds to `problems`. */
export type Parser<T> = (input: unknown, problems: Problems) => T;

/** Answers 400 with every problem that the parser found. */
export class ParseWith<T> implements PipeTransform<unknown, T> {
  constructor(private readonly parse: Parser<T>) {}

  transform(input: unknown): T {
    const problems: Problems = [];
    const value = this.parse(input, problems);
    if (problems.length > 0) throw new BadRequestException(problems);
    return value;
  }
}

const SKU_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const MAX_QUANTITY = 1_000_000;

export function parseSku(input: unknown, problems: Problems): string {
  if (typeof input === 'string' && SKU_PATTERN.test(input)) return input;
  problems.push(
    'sku must be 1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit',
  );
  return '';
}

export function parseQuantity(least: number): Parser<number> {
  return (input, problems) => {
    const fits = Number.isInteger(input) && Number(input) >= least && Number(input) <= MAX_QUANTITY;
    if (!fits) problems.push(`quantity must be a whole number from ${least} to ${MAX_QUANTITY}`);
    return Number(input);
  };
}

/** A name that a caller gives so that repeating a request is safe. */
export function parseId(name: string): Parser<string> {
  return (input, problems) => {
    if (typeof input === 'string' && ID_PATTERN.test(input)) return input;
    problems.push(`${name} must be 1 to 128 letters, digits, ".", "_" or "-"`);
    return '';
  };
}

/** The members of a JSON object; complains about an input that is none, or has others than `known`. */
export function parseObject(
  input: unknown,
  known: readonly string[],
  problems: Problems,
): Record<string, unknown> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    problems.push(`the body must be a JSON object with ${known.join(' and ')}`);
    return {};
  }
  for (const name of Object.keys(input)) {
    if (!known.includes(name)) problems.push(`${name} is not known, only ${known.join(' and ')}`);
  }
  return input as Record<string, unknown>;
}
