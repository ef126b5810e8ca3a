import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Observable, of } from 'rxjs';
import { ClientClosedError } from '../client/etcd.errors.js';
import { mergeDocuments } from '../config/config-merge.js';
import { frozenCopy } from '../config/deep-freeze.js';
import type { ConfigStore } from '../config/config.store.js';
import { ConfigNotReadyError } from '../config/config.errors.js';
import type { WatchedConfig } from '../config/watched-config.js';
import { RuleFault } from './rule-reader.js';
import {
  InvalidTrafficRuleError,
  UnknownTrafficNameError,
  type TrafficNoun,
} from './traffic.errors.js';

/** What follows a document: a `ConfigStore`. */
export type Documents = Pick<ConfigStore, 'follow'>;

/** One kind of rule that is declared in code and turned in etcd. */
export interface DocumentKind<T extends object> {
  readonly noun: TrafficNoun;
  /** Under which names its documents stand: `traffic/limits` for `traffic/limits/<name>`. */
  readonly folder: string;
  /**
   * Makes a rule of its fields, defaults filled in.
   *
   * @throws {RuleFault} naming the field that it cannot have
   */
  read(fields: unknown): T;
}

/** A rule as it stands now. */
export interface LiveDocument<T extends object> {
  readonly name: string;
  /** The present numbers; those that were declared until etcd's are here. Reads a field. Frozen. */
  readonly value: T;
  /** Each change from now on, the first word of etcd's included. Returns what ends that. */
  onChange(listener: (value: T) => void): () => void;
  /** The present numbers, and each next ones. Completes with the connection. */
  readonly value$: Observable<T>;
  /** Resolves once it is known what etcd has of it, or what stands in. */
  ready(): Promise<void>;
}

/**
 * The rules of one kind: declared in this process's options, where each has its numbers, and followed in
 * etcd, where a document of the `ConfigStore` turns single ones of them while everything runs. What does
 * not validate is refused and reported as any push: the last good numbers stand.
 */
export class LiveDocuments<T extends object> {
  private readonly followed = new Map<string, LiveDocument<T>>();

  /**
   * @param declared the fields of each rule, as they were given
   * @throws {InvalidTrafficRuleError} for one that cannot be
   */
  constructor(
    private readonly documents: Documents,
    private readonly kind: DocumentKind<T>,
    private readonly declared: Readonly<Record<string, object>>,
  ) {
    for (const [name, fields] of Object.entries(declared)) readRule(kind, name, fields);
  }

  /** What was declared. */
  get names(): readonly string[] {
    return Object.keys(this.declared);
  }

  /** @throws {UnknownTrafficNameError} if it was not declared; lists those that were */
  assertKnown(name: string, by?: string): void {
    if (Object.hasOwn(this.declared, name)) return;
    throw new UnknownTrafficNameError(this.kind.noun, name, this.names, by);
  }

  /**
   * A rule as it was declared, whatever etcd has of it.
   *
   * @throws {UnknownTrafficNameError} if it was not declared; lists those that were
   */
  declaredOf(name: string, by?: string): T {
    this.assertKnown(name, by);
    return readRule(this.kind, name, this.declared[name]!);
  }

  /**
   * A rule, followed from the first time that it is asked for. If that is after the connection was closed,
   * it stays as it was declared.
   *
   * @param by who asks, for the error
   * @throws {UnknownTrafficNameError} if it was not declared; lists those that were
   */
  of(name: string, by?: string): LiveDocument<T> {
    const standing = this.followed.get(name);
    if (standing) return standing;
    this.assertKnown(name, by);
    const fields = this.declared[name]!;
    const value = readRule(this.kind, name, fields);
    const watched = this.follow(name, fields, value);
    const rule = watched ? new FollowedDocument(name, value, watched) : asDeclared(name, value);
    this.followed.set(name, rule);
    return rule;
  }

  /** Null if the connection is closed. */
  private follow(name: string, fields: object, value: T): WatchedConfig<T> | null {
    const schema = overDeclared(this.kind, fields);
    try {
      return this.documents.follow(`${this.kind.folder}/${name}`, { schema, default: value });
    } catch (error) {
      if (error instanceof ClientClosedError) return null;
      throw error;
    }
  }
}

/** @throws {InvalidTrafficRuleError} naming the field that cannot be */
export function readRule<T extends object>(
  kind: Pick<DocumentKind<T>, 'noun' | 'read'>,
  name: string,
  fields: unknown,
): T {
  try {
    return frozenCopy(kind.read(fields));
  } catch (error) {
    if (!(error instanceof RuleFault)) throw error;
    throw new InvalidTrafficRuleError(kind.noun, name, error.path, error.fault);
  }
}

/** What a document makes of the declared fields: its own over those. */
function overDeclared<T extends object>(
  kind: DocumentKind<T>,
  declared: object,
): StandardSchemaV1<unknown, T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'nestjs-etcd-coordination',
      validate(document) {
        try {
          return { value: kind.read(mergeDocuments([declared, document])) };
        } catch (error) {
          if (!(error instanceof RuleFault)) throw error;
          const { path, fault } = error;
          const message = `"${path || kind.noun}" ${fault}`;
          return { issues: [{ message, path: path === '' ? [] : path.split('.') }] };
        }
      },
    },
  };
}

/** A rule that nothing turns any more. */
function asDeclared<T extends object>(name: string, value: T): LiveDocument<T> {
  const ready = async () => undefined;
  return { name, value, onChange: () => () => undefined, value$: of(value), ready };
}

/** The value that there is already, as from the snapshot; or what was declared. */
function presentOr<T>(watched: WatchedConfig<T>, declared: T): T {
  try {
    return watched.value;
  } catch (error) {
    if (error instanceof ConfigNotReadyError) return declared;
    throw error;
  }
}

class FollowedDocument<T extends object> implements LiveDocument<T> {
  value: T;

  constructor(
    readonly name: string,
    declared: T,
    private readonly watched: WatchedConfig<T>,
  ) {
    // What stands in for an etcd that is away was accepted before anybody could listen.
    this.value = presentOr(watched, declared);
    // Before any other listener: what those read is the new one already.
    watched.changes$.subscribe(({ value }) => (this.value = value));
  }

  get value$(): Observable<T> {
    return this.watched.value$;
  }

  onChange(listener: (value: T) => void): () => void {
    const subscription = this.watched.changes$.subscribe(({ value }) => listener(value));
    return () => subscription.unsubscribe();
  }

  ready(): Promise<void> {
    return this.watched.ready();
  }
}
