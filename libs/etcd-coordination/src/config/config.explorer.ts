import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  type ApplicationClass,
  classesOf,
  givenObject,
  methodsOf,
} from '../nest/application-classes.js';
import { MarkedMethods } from '../nest/marked-methods.js';
import type { ConfigChange } from './config-change.js';
import { whatDiffers } from './config-declarations.js';
import { ConfigDeclarationError } from './config.errors.js';
import { watchedPropertiesOf, watchMarksOf, type WatchMark } from './watched-member.js';

/** A configuration that classes of the application watch. */
export interface ExploredConfig extends WatchMark {
  /** Which properties and methods do, such as `Pricing.prices`. */
  readonly watchers: readonly string[];
}

/** A method that is told of a configuration. */
export type ConfigMethods = MarkedMethods<WatchMark, [value: unknown, change: ConfigChange]>;

/** An object that Nest did not build itself (`useFactory`, `useValue`), and so injected nothing into. */
export interface GivenObject {
  readonly className: string;
  readonly instance: object;
}

interface Watcher extends WatchMark {
  readonly place: string;
}

/** Finds what the classes of one application watch. */
@Injectable()
export class ConfigExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /**
   * Every configuration that is watched, once. Objects that a factory makes are found when they
   * are made.
   *
   * @throws {ConfigDeclarationError} naming both places, if two declare one configuration differently
   */
  configs(): readonly ExploredConfig[] {
    const found = new Map<string, { first: Watcher; watchers: Set<string> }>();
    for (const { type } of classesOf(this.modules)) {
      for (const watcher of watchersOf(type)) {
        const id = JSON.stringify([watcher.connection, watcher.declaration.key]);
        const entry = found.get(id) ?? { first: watcher, watchers: new Set() };
        refuseAnother(entry.first, watcher);
        entry.watchers.add(watcher.place);
        found.set(id, entry);
      }
    }
    return [...found.values()].map(({ first: { declaration, connection }, watchers }) => ({
      declaration,
      connection,
      watchers: [...watchers],
    }));
  }

  /** The methods to be told of changes. */
  methods(): readonly ConfigMethods[] {
    return [...classesOf(this.modules)].flatMap(({ type, wrapper }) => {
      const marked = [...methodsOf(type.prototype)].flatMap(({ name, method }) =>
        watchMarksOf(method).map((mark) => ({ ...mark, name })),
      );
      return marked.length > 0 ? [new MarkedMethods(type.name, wrapper, marked)] : [];
    });
  }

  /** Objects with decorated properties that Nest injected nothing into. */
  givenObjects(): readonly GivenObject[] {
    return [...classesOf(this.modules)].flatMap(({ type, wrapper }) => {
      const instance = givenObject(wrapper);
      if (!instance || watchedPropertiesOf(type.prototype).size === 0) return [];
      return [{ className: type.name, instance }];
    });
  }
}

function watchersOf({ name: className, prototype }: ApplicationClass['type']): Watcher[] {
  const named = (name: string | symbol, { declaration, connection }: WatchMark): Watcher => ({
    declaration,
    connection,
    place: `${className}.${String(name)}`,
  });
  return [
    ...[...watchedPropertiesOf(prototype).values()].map((property) =>
      named(property.name, property),
    ),
    ...[...methodsOf(prototype)].flatMap(({ name, method }) =>
      watchMarksOf(method).map((mark) => named(name, mark)),
    ),
  ];
}

function refuseAnother(first: Watcher, other: Watcher): void {
  const fault = whatDiffers(first.declaration, other.declaration);
  if (fault === null) return;
  throw new ConfigDeclarationError(
    first.declaration.key,
    `is declared by ${other.place} with another ${fault} than by ${first.place}; put the declaration into a constant and share that`,
  );
}
