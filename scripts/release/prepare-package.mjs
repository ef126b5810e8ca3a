/**
 * Runs before `npm pack` and `npm publish` of the library: what npm looks for beside its package.json is kept
 * once, at the root of the repository. `node prepare-package.mjs [folder of the package]`.
 */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const target = process.argv[2] ?? process.cwd();

for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md']) {
  const source = join(root, file);
  if (existsSync(source)) copyFileSync(source, join(target, file));
}
