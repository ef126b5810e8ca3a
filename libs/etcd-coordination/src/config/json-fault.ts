/** Where a text stops being JSON. */
export interface JsonFault {
  /** In UTF-16 units from the start. */
  readonly offset: number;
  /** What is expected there, or not, as a part of a sentence. */
  readonly what: string;
}

const END = 'the document ends too early';
const WHITE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** What may come next, outside of strings. */
type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

/**
 * Where and why a text is no JSON; null if it is. `JSON.parse` says it by quoting what stands
 * there, and that may be secret.
 */
export function jsonFault(text: string): JsonFault | null {
  /** The brackets that are open. No recursion: there may be any number. */
  const open: ('{' | '[')[] = [];
  let expected = 'value' as Expected;
  let at = 0;

  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? '';
    at += found.length;
    return found !== '';
  };
  const fault = (what: string): JsonFault => ({ offset: at, what: at >= text.length ? END : what });

  for (;;) {
    skip(WHITE);
    const char = text[at];
    if (expected === ', or end') {
      const inside = open.at(-1);
      if (inside === undefined) {
        return char === undefined ? null : fault('nothing more is expected here');
      }
      const closing = inside === '{' ? '}' : ']';
      if (char === closing) open.pop();
      else if (char === ',') expected = inside === '{' ? 'key' : 'value';
      else return fault(`"," or "${closing}" is expected here`);
      at += 1;
    } else if (expected === ':') {
      if (char !== ':') return fault('":" is expected here');
      at += 1;
      expected = 'value';
    } else if (expected === 'key' || expected === 'key or }') {
      if (char === '"') {
        const bad = skipString(text, at);
        if (typeof bad !== 'number') return bad;
        at = bad;
        expected = ':';
      } else if (char === '}' && expected === 'key or }') {
        open.pop();
        at += 1;
        expected = ', or end';
      } else {
        return fault('a key in double quotes is expected here');
      }
    } else if (char === '"') {
      const end = skipString(text, at);
      if (typeof end !== 'number') return end;
      at = end;
      expected = ', or end';
    } else if (char === '{' || char === '[') {
      open.push(char);
      at += 1;
      expected = char === '{' ? 'key or }' : 'value or ]';
    } else if (char === ']' && expected === 'value or ]') {
      open.pop();
      at += 1;
      expected = ', or end';
    } else if (skip(LITERAL) || skip(NUMBER)) {
      expected = ', or end';
    } else {
      return fault('a value is expected here');
    }
  }
}

/** The end of the string that begins at `start`, or what is wrong with it. */
function skipString(text: string, start: number): number | JsonFault {
  for (let at = start + 1; ; at++) {
    const char = text[at];
    if (char === undefined) return { offset: start, what: 'the text that begins here has no end' };
    if (char === '"') return at + 1;
    if (char < ' ') {
      return { offset: at, what: 'a line break or control character must be written as an escape' };
    }
    if (char === '\\') {
      ESCAPE.lastIndex = at;
      const escape = ESCAPE.exec(text)?.[0];
      if (escape === undefined) {
        return { offset: at, what: 'a backslash must be doubled or begin an escape' };
      }
      at += escape.length - 1;
    }
  }
}
