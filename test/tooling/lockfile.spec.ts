import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface LockedPackage {
  readonly optionalDependencies?: Record<string, string>;
}

/**
 * `npm ci` refuses a lockfile that leaves out a package for another platform, and `npm install` leaves out
 * those that its registry does not have: then their entries are to be put back, without `integrity`.
 */
it('the lockfile names every package for every platform', () => {
  const file = new URL('../../package-lock.json', import.meta.url);
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const missing = Object.entries(packages).flatMap(([path, locked]) =>
    Object.keys(locked.optionalDependencies ?? {}).filter(
      (name) => !lookUp(path).some((folder) => `${folder}node_modules/${name}` in packages),
    ),
  );
  expect(missing).toEqual([]);
});

/** The folders in whose node_modules Node looks for what a package requires, innermost first. */
function lookUp(path: string): string[] {
  const parts = path.split('/node_modules/');
  const folders = parts.map(
    (_, index) => `${parts.slice(0, parts.length - index).join('/node_modules/')}/`,
  );
  return [...folders, ''];
}
