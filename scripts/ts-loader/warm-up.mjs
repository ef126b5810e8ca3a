import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transpile } from './transpile.mjs';

const library = fileURLToPath(new URL('../../libs/etcd-coordination/src/', import.meta.url));

/**
 * Has the whole library in the loader's cache. Without it the first processes of a fresh clone compile it
 * side by side, each the whole of it, and take longer to start than their tests wait.
 */
export function warmUp() {
  for (const file of readdirSync(library, { recursive: true })) {
    if (file.endsWith('.ts') && !file.endsWith('.spec.ts')) transpile(join(library, file));
  }
}
