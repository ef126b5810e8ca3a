/**
 * A file's source with the replacements of a mutant. Plain JavaScript, as the hooks that load modules run it
 * before there is anything that could read TypeScript.
 *
 * @param {string} source
 * @param {readonly { readonly file: string, readonly find: string, readonly replace: string }[]} replacements
 * @returns {string}
 * @throws if what is to be replaced does not stand there exactly once: the source has changed since
 */
export function mutated(source, replacements) {
  return replacements.reduce((text, { file, find, replace }) => {
    const times = text.split(find).length - 1;
    if (times === 1) return text.replace(find, () => replace);
    throw new Error(
      `A mutant replaces a text in ${file} that stands there ${times} times, not once; bring the mutant up to date: ${find}`,
    );
  }, source);
}
