import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../../scripts/checks/check-layers.mjs', import.meta.url));

/** Runs the check on a made-up library. */
function check(files: Record<string, string>) {
  const source = tempFolder('layers');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(source, name)), { recursive: true });
    writeFileSync(join(source, name), text);
  }
  const { status, stderr } = spawnSync(process.execPath, [script, source], { encoding: 'utf8' });
  return { status, stderr };
}

describe('the check of the layers', () => {
  it('lets arrows point down', () => {
    const { status, stderr } = check({
      'index.ts': `export * from './module/a.js';`,
      'module/a.ts': `import '../election/b.js'; import '../client/d.js';`,
      'election/b.ts': `import '../watch/c.js'; import type { X } from '@nestjs/microservices';`,
      'watch/c.ts': `import { s } from '../session/s.js';`,
      'terminus/t.ts': `import '@nestjs/terminus'; import '../module/a.js';`,
      'embedded/e.ts': `import { E } from '../client/coordination.error.js';`,
      'client/d.spec.ts': `import '../module/a.js';`,
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('refuses those that point up, sideways or outside, and names each', () => {
    const { status, stderr } = check({
      'client/up.ts': `import type { X } from '../session/b.js';`,
      'watch/late.ts': `await import('../module/b.js');`,
      'election/sideways.ts': `export { x } from '../lock/b.js';`,
      'embedded/deep.ts': `import '../client/keys.js';`,
      'index.ts': `export * from './terminus/a.js';`,
      'module/outside.ts': `import '../../../../test/support/x.js';`,
      'module/itself.ts': `import 'nestjs-etcd-coordination';`,
      'module/optional.ts': `import { x } from '@nestjs/terminus';`,
      'helpers/unplaced.ts': ``,
    });
    expect(status).toBe(1);
    for (const fault of [
      /client\/up\.ts:1: .*client\/ may import nothing/,
      /watch\/late\.ts:1: .*watch\/ may import session, client/,
      /election\/sideways\.ts:1: .*election\/ may import/,
      /embedded\/deep\.ts:1: .*embedded\/ may import/,
      /index\.ts:1: .*the root barrel may import/,
      /module\/outside\.ts:1: .*outside of its source/,
      /module\/itself\.ts:1: .*paths are relative/,
      /module\/optional\.ts:1: .*is optional/,
      /helpers\/unplaced\.ts: the folder helpers has no place/,
      /^9 imports break the layers/m,
    ]) {
      expect(stderr).toMatch(fault);
    }
  });
});
