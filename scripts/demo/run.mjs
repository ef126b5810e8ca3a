// `npm run demo`: builds the two services and the story in one go, then plays the story in this
// process, so that there is one process to stop.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const nest = createRequire(import.meta.url).resolve('@nestjs/cli/bin/nest.js');

console.log('Building the services and the story …');
const build = spawnSync(
  process.execPath,
  [nest, 'build', '--config', 'scripts/demo/nest-cli.json', '--silent'],
  { cwd: root, encoding: 'utf8' },
);
if (build.signal) process.exit(130);
if (build.status !== 0) {
  console.error(`The demo did not build:\n${build.stdout}${build.stderr}`);
  process.exit(1);
}
await import('../../dist/demo/scripts/demo/main.js');
