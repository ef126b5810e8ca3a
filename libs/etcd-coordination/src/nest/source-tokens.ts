/** One word, literal or sign of JavaScript. */
export interface SourceToken {
  readonly kind: 'word' | 'string' | 'number' | 'template' | 'regex' | 'sign';
  readonly text: string;
}

const SKIPPED = /(?:\s|\/\/[^\n\r]*|\/\*[^]*?\*\/)+/uy;
const WORD = /#?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /(?:\d|\.\d)(?:[eE][+-]|[\w.])*/uy;
const STRING = /'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"/uy;
const REGEX = /\/(?:[^/\\[\n]|\\[^]|\[(?:[^\]\\\n]|\\[^])*\])+\/\w*/uy;
const SIGN = /\.\.\.|=>|[^]/uy;

/** After these a `/` begins a regular expression, although a word stands before it. */
const OPERATORS = new Set(
  'return typeof instanceof in of new delete void throw case do else yield await'.split(' '),
);

/**
 * Takes source apart into its tokens, comments left out: enough to find names and matching
 * brackets. Where only a parser could tell whether a `/` divides, it is taken for what is likelier.
 */
export function tokensOf(source: string): SourceToken[] {
  const tokens: SourceToken[] = [];
  for (let at = 0; at < source.length;) {
    const skipped = match(SKIPPED, source, at);
    if (skipped !== null) {
      at += skipped.length;
      continue;
    }
    const token = tokenAt(source, at, tokens.at(-1));
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

function tokenAt(source: string, at: number, before: SourceToken | undefined): SourceToken {
  if (source[at] === '`') return { kind: 'template', text: templateAt(source, at) };
  const kinds = [
    ['word', WORD],
    ['number', NUMBER],
    ['string', STRING],
    ...(beginsExpression(before) ? [['regex', REGEX] as const] : []),
  ] as const;
  for (const [kind, pattern] of kinds) {
    const text = match(pattern, source, at);
    if (text !== null) return { kind, text };
  }
  return { kind: 'sign', text: match(SIGN, source, at)! };
}

function beginsExpression(before: SourceToken | undefined): boolean {
  if (!before) return true;
  if (before.kind === 'sign') return before.text !== ')' && before.text !== ']';
  return before.kind === 'word' && OPERATORS.has(before.text);
}

/** A template literal may hold expressions, and these anything, another template included. */
function templateAt(source: string, start: number): string {
  let at = start + 1;
  while (at < source.length && source[at] !== '`') {
    if (source.startsWith('${', at)) at = closingBrace(source, at + 2);
    else at += source[at] === '\\' ? 2 : 1;
  }
  return source.slice(start, at + 1);
}

/** The place after the brace that closes an expression in a template. */
function closingBrace(source: string, start: number): number {
  let depth = 1;
  let before: SourceToken | undefined;
  let at = start;
  while (at < source.length && depth > 0) {
    const skipped = match(SKIPPED, source, at);
    if (skipped !== null) {
      at += skipped.length;
      continue;
    }
    before = tokenAt(source, at, before);
    if (before.text === '{') depth++;
    if (before.text === '}') depth--;
    at += before.text.length;
  }
  return at;
}

function match(pattern: RegExp, source: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? null;
}
