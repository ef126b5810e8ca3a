import { type SourceToken, tokensOf } from './source-tokens.js';

/** Where a name in a method's parameter list is found among the arguments of a call. */
export interface NamedArgument {
  readonly index: number;
  /** Whether it is the array of this argument and all after it. */
  readonly rest: boolean;
  /** The way into a destructured argument; null if its source does not say it. */
  readonly path: readonly string[] | null;
}

/** What a method's source says of its parameters. */
export interface MethodParameters {
  /** How many there are; without end if the last takes the rest. */
  readonly count: number;
  readonly names: ReadonlyMap<string, NamedArgument>;
}

const BRACKETS: Readonly<Record<string, number>> = {
  '(': 1,
  '[': 1,
  '{': 1,
  ')': -1,
  ']': -1,
  '}': -1,
};
const MODIFIERS = new Set(['static', 'async', 'get', 'set', 'accessor']);

/** Reads the parameters of a function; null if its source cannot be had, as that of a Proxy. */
export function parametersOf(method: (...args: never[]) => unknown): MethodParameters | null {
  const tokens = tokensOf(Function.prototype.toString.call(method));
  if (tokens.some(({ text }, at) => text === 'native' && tokens[at + 1]?.text === 'code'))
    return null;
  let depth = 0;
  for (const [at, { text }] of tokens.entries()) {
    if (depth === 0 && text === '(') return readList(tokens, at);
    // `id => …`: one name and no parentheses.
    if (depth === 0 && text === '=>') return readParameters([tokens.slice(at - 1, at)]);
    depth += BRACKETS[text] ?? 0;
  }
  return null;
}

/**
 * Reads the parameters of a method out of the source of its class, as it was written, whatever
 * decorators have put in its place; null if it is not found there.
 */
export function parametersInClass(type: unknown, name: string | symbol): MethodParameters | null {
  if (typeof type !== 'function' || typeof name !== 'string') return null;
  const tokens = tokensOf(Function.prototype.toString.call(type));
  if (tokens[0]?.text !== 'class') return null;
  let depth = 0;
  let found: MethodParameters | null = null;
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at]!;
    depth += BRACKETS[text] ?? 0;
    if (depth !== 1 || !'{};'.includes(text)) continue;
    // Here a member begins.
    let first = at + 1;
    while (isModifier(tokens, first)) first++;
    if (nameOf(tokens[first]) === name && tokens[first + 1]?.text === '(') {
      // The last of that name is the one that counts.
      found = readList(tokens, first + 1);
    }
  }
  return found;
}

function isModifier(tokens: readonly SourceToken[], at: number): boolean {
  const text = tokens[at]?.text ?? '';
  return text === '*' || (MODIFIERS.has(text) && tokens[at + 1]?.text !== '(');
}

/** Reads the list whose opening parenthesis is there; null if none closes it. */
function readList(tokens: readonly SourceToken[], open: number): MethodParameters | null {
  const end = closing(tokens, open);
  return end === -1 ? null : readParameters(split(tokens.slice(open + 1, end)));
}

function readParameters(parameters: readonly (readonly SourceToken[])[]): MethodParameters {
  const names = new Map<string, NamedArgument>();
  let count = parameters.length;
  for (const [index, parameter] of parameters.entries()) {
    const rest = parameter[0]?.text === '...';
    if (rest) count = Infinity;
    readPattern(rest ? parameter.slice(1) : parameter, { index, rest, path: [] }, names);
  }
  return { count, names };
}

/** A name, or what takes an argument apart, with or without a default. */
function readPattern(
  tokens: readonly SourceToken[],
  at: NamedArgument,
  names: Map<string, NamedArgument>,
): void {
  const [first] = tokens;
  if (!first) return;
  if (first.kind === 'word') {
    names.set(first.text, at);
    return;
  }
  const end = closing(tokens, 0);
  if (end === -1) return;
  const items = split(tokens.slice(1, end));
  if (first.text === '[') {
    for (const [index, item] of items.entries()) readElement(item, String(index), at, names);
  } else {
    for (const item of items) readProperty(item, at, names);
  }
}

function readElement(
  item: readonly SourceToken[],
  index: string,
  at: NamedArgument,
  names: Map<string, NamedArgument>,
): void {
  if (item[0]?.text === '...') readPattern(item.slice(1), { ...at, path: null }, names);
  else readPattern(item, into(at, index), names);
}

function readProperty(
  item: readonly SourceToken[],
  at: NamedArgument,
  names: Map<string, NamedArgument>,
): void {
  const [first, second] = item;
  if (!first) return;
  if (first.text === '...') return readPattern(item.slice(1), { ...at, path: null }, names);
  if (first.text === '[') {
    // A computed name: what it is, only a call would tell.
    const end = closing(item, 0);
    return readPattern(item.slice(end + 2), { ...at, path: null }, names);
  }
  const property = nameOf(first);
  if (property === null) return;
  const inside = into(at, property);
  if (second?.text === ':') readPattern(item.slice(2), inside, names);
  else names.set(property, inside);
}

function into(at: NamedArgument, property: string): NamedArgument {
  return { ...at, path: at.path && [...at.path, property] };
}

/** The name that a token gives a member or a property. */
function nameOf(token: SourceToken | undefined): string | null {
  if (token?.kind === 'word' || token?.kind === 'number') return token.text;
  // What an escape stands for is not worth a parser.
  return token?.kind === 'string' && !token.text.includes('\\') ? token.text.slice(1, -1) : null;
}

/** Where the bracket that stands there is closed, or -1. */
function closing(tokens: readonly SourceToken[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    depth += bracket(tokens[at]!);
    if (depth === 0) return at;
  }
  return -1;
}

/** What stands between the commas; a comma at the end is no more than that. */
function split(tokens: readonly SourceToken[]): (readonly SourceToken[])[] {
  const parts: SourceToken[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    depth += bracket(token);
    if (depth === 0 && token.text === ',') parts.push([]);
    else parts.at(-1)!.push(token);
  }
  if (parts.at(-1)!.length === 0) parts.pop();
  return parts;
}

function bracket(token: SourceToken): number {
  return token.kind === 'sign' ? (BRACKETS[token.text] ?? 0) : 0;
}
