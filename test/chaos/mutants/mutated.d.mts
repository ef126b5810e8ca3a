import type { Replacement } from './mutant.js';

/**
 * A file's source with the replacements of a mutant.
 *
 * @throws if what is to be replaced does not stand there exactly once: the source has changed since
 */
export function mutated(source: string, replacements: readonly Replacement[]): string;
