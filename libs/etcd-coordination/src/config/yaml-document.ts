import type * as Yaml from 'yaml';
import { MAX_CONFIG_DEPTH, TOO_DEEP } from './document-shape.js';

/** What is wrong with a document, and where if that is known. */
export class YamlFault extends Error {
  constructor(
    /** In words that follow "it". */
    readonly fault: string,
    /** In UTF-16 units from the start. */
    readonly offset: number | null = null,
  ) {
    super(fault);
  }
}

/** Each alias costs a look at all anchors. */
const MAX_ALIASES = 1000;

/** The parser keeps one token open for each level, and a few beside. */
const MAX_OPEN_TOKENS = MAX_CONFIG_DEPTH + 8;

/** What the parser's complaints mean. Its own messages quote the document, which may be secret. */
const FAULTS: Partial<Record<Yaml.ErrorCode, string>> = {
  BAD_ALIAS: 'has an alias with a malformed name',
  BAD_DIRECTIVE: 'has a malformed directive',
  BAD_DQ_ESCAPE: 'has an unknown escape in a quoted text',
  BAD_INDENT: 'is indented wrongly',
  BAD_SCALAR_START: 'has a text that begins with a reserved character; quote it',
  BLOCK_AS_IMPLICIT_KEY: 'has nested keys on one line',
  BLOCK_IN_FLOW: 'has a block inside of brackets',
  KEY_OVER_1024_CHARS: 'has a key of more than 1024 characters',
  MISSING_CHAR: 'lacks a character, such as a closing quote or bracket, or a space after ":"',
  MULTILINE_IMPLICIT_KEY: 'has a key over several lines',
  MULTIPLE_DOCS: 'holds several documents; give one',
  NON_STRING_KEY: 'has a key that is no text',
  TAB_AS_INDENT: 'is indented by a tab; use spaces',
  TAG_RESOLVE_FAILED: 'has a tag that means nothing here',
  UNEXPECTED_TOKEN: 'has something that does not belong here',
};

/** YAML 1.2, by the package `yaml`, which is loaded when the first document wants it. */
export class YamlFormat {
  private yaml: typeof Yaml | null = null;
  private loading: Promise<void> | null = null;

  /** What {@link parse} and {@link stringify} wait for; null if nothing (any more). */
  ready(): Promise<void> | null {
    if (this.yaml) return null;
    return (this.loading ??= import('yaml').then((yaml) => {
      this.yaml = yaml;
    }));
  }

  /** @throws {YamlFault} */
  parse(text: string): unknown {
    const yaml = this.yaml!;
    const composer = new yaml.Composer({
      prettyErrors: false,
      stringKeys: true,
      logLevel: 'silent',
      // Its own check compares each key with each other: seconds for some ten thousand.
      uniqueKeys: false,
    });
    const documents = [...composer.compose(this.tokens(text), true, text.length)];
    const document = documents[0]!;
    const complaint = document.errors[0] ?? document.warnings[0];
    if (complaint) {
      throw new YamlFault(
        FAULTS[complaint.code] ?? `is malformed (${complaint.code})`,
        complaint.pos[0],
      );
    }
    if (documents.length > 1) throw new YamlFault(FAULTS.MULTIPLE_DOCS!, documents[1]!.range[0]);
    if (!document.contents) {
      throw new YamlFault('is empty; write {} for an object without keys');
    }
    this.checkNodes(document);
    try {
      return document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      // Nothing else is left: the aliases' names and their expansion are checked here.
      if (!(error instanceof ReferenceError)) throw error;
      throw new YamlFault('has aliases without an anchor, or too many');
    }
  }

  stringify(value: unknown): string {
    return this.yaml!.stringify(value, { aliasDuplicateObjects: false });
  }

  /**
   * The parser keeps its own stack, but the composer is recursive: 10,000 levels end it, and in
   * some forms the process with it. So they are counted before.
   */
  private *tokens(text: string): Generator<Yaml.CST.Token> {
    const parser = new this.yaml!.Parser();
    const ready: Yaml.CST.Token[] = [];
    for (const lexeme of new this.yaml!.Lexer().lex(text)) {
      const { offset } = parser;
      ready.push(...parser.next(lexeme));
      if (parser.stack.length > MAX_OPEN_TOKENS) throw new YamlFault(TOO_DEEP, offset);
    }
    yield* ready;
    yield* parser.end();
  }

  /** Looks for keys that come twice, and counts the aliases. */
  private checkNodes(document: Yaml.Document.Parsed): void {
    let aliases = 0;
    this.yaml!.visit(document, {
      Alias: (_key, { range }) => {
        aliases += 1;
        if (aliases > MAX_ALIASES) {
          throw new YamlFault(`has more than ${MAX_ALIASES} aliases`, range?.[0]);
        }
      },
      Map: (_key, { items }) => {
        const keys = new Set<unknown>();
        for (const { key } of items) {
          if (!this.yaml!.isScalar(key)) continue;
          if (keys.has(key.value)) throw new YamlFault('has a key twice', key.range?.[0]);
          keys.add(key.value);
        }
      },
    });
  }
}
