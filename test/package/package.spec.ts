import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isBuiltin } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { packLibrary, runIn, typeCheckIn, type PackedLibrary } from './packed-library.js';

interface Manifest {
  readonly type: string;
  readonly exports: Record<string, string | { types: string; default: string }>;
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

describe('the package as it is published', () => {
  let library: PackedLibrary;
  let manifest: Manifest;

  beforeAll(async () => {
    library = await packLibrary();
    manifest = JSON.parse(await readFile(join(library.folder, 'package.json'), 'utf8')) as Manifest;
  }, 180_000);

  it('holds the build with its types, and nothing of the workshop', () => {
    expect(library.files).toContain('dist/index.js');
    expect(library.files).toContain('dist/index.d.ts');
    expect(library.files).toContain('LICENSE');
    expect(library.files).toContain('CHANGELOG.md');
    expect(library.files.filter((file) => /\.spec|spec-d|(^|\/)src\//.test(file))).toEqual([]);
    expect(library.files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual(
      [],
    );
  });

  it('has behind every export a module and its types', () => {
    expect(manifest.type).toBe('module');
    for (const target of Object.values(manifest.exports)) {
      const paths = typeof target === 'string' ? [target] : Object.values(target);
      for (const path of paths) {
        if (path !== './package.json') expect(library.files).toContain(path.slice(2));
      }
    }
  });

  it('declares every package that its code imports', async () => {
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
    const undeclared = (await importedPackages(join(library.folder, 'dist'))).filter(
      (name) => !(name in declared),
    );
    expect(undeclared).toEqual([]);
  });

  it('keeps the comments that its users read', async () => {
    const types = await readFile(join(library.folder, 'dist/election/leader-term.d.ts'), 'utf8');
    expect(types).toContain('/**');
  });

  it('is imported by an ES module', async () => {
    const { stdout } = await runIn(library.application, 'esm.mjs', esmProgram(manifest));
    expect(stdout.trim()).toBe('function function');
  });

  it('is required by a CommonJS module', async () => {
    const { stdout } = await runIn(
      library.application,
      'commonjs.cjs',
      `require('reflect-metadata');
       const { EtcdCoordinationModule, Leader } = require('nestjs-etcd-coordination');
       console.log(typeof EtcdCoordinationModule.forRoot, typeof Leader);`,
    );
    expect(stdout.trim()).toBe('function function');
  });

  it('tests a fleet, and leaves a process that ends by itself', async () => {
    const { stdout } = await runIn(
      library.application,
      'fleet.mjs',
      `import 'reflect-metadata';
       import { Module } from '@nestjs/common';
       import { ElectionService, EtcdCoordinationModule } from 'nestjs-etcd-coordination';
       import { TestFleet } from 'nestjs-etcd-coordination/testing';
       class App {}
       Module({ imports: [EtcdCoordinationModule.forRoot({ endpoints: ['nowhere:1'] })] })(App);
       const fleet = await TestFleet.start(App, { instances: 2 });
       for (const one of fleet.instances) {
         await fleet.time.run(one.service(ElectionService).join('work'));
       }
       const leader = await fleet.leaderOf('work');
       leader.freeze();
       const next = await fleet.leaderOf('work', { not: leader });
       console.log(leader.name, next.name);
       await fleet.close();`,
    );
    expect(stdout.trim()).toBe('instance-1 instance-2');
  });

  it('gives an application its types, as ES module and as CommonJS', async () => {
    const program = `
      import 'reflect-metadata';
      import { Injectable, Module } from '@nestjs/common';
      import {
        type ConfigChange,
        EtcdCoordinationModule,
        Leader,
        type LeaderTerm,
        WatchConfig,
      } from 'nestjs-etcd-coordination';
      import { EmbeddedEtcd } from 'nestjs-etcd-coordination/embedded';
      import { EtcdTestingModule, TestFleet } from 'nestjs-etcd-coordination/testing';

      @Injectable()
      export class Reconciler {
        term: LeaderTerm | null = null;
        @WatchConfig('settings', { default: { batch: 10 } })
        readonly settings!: { readonly batch: number };
        @Leader('reconciler')
        async reconcile(): Promise<void> {}
        @WatchConfig('settings', { default: { batch: 10 } })
        resize(settings: { readonly batch: number }, change: ConfigChange): void {}
        // @ts-expect-error it is no text
        @WatchConfig('settings', { default: { batch: 10 } })
        readonly wrong!: string;
      }

      @Module({
        imports: [EtcdCoordinationModule.forRoot({ endpoints: ['127.0.0.1:2379'] })],
        providers: [Reconciler],
      })
      export class AppModule {}
      export const start = () => EmbeddedEtcd.start({ port: 0 });
      export const alone = EtcdTestingModule.forTest({ session: { ttlSeconds: 5 } });
      export async function test(): Promise<void> {
        await using fleet = await TestFleet.start(AppModule, { instances: 2 });
        const leader = await fleet.leaderOf('reconciler');
        leader.get(Reconciler).settings.batch.toFixed();
        leader.failNext({ kind: 'write' });
        // @ts-expect-error there is no such kind
        leader.failNext({ kind: 'anything' });
      }
    `;
    await typeCheckIn(library.application, { 'app.mts': program, 'app.cts': program });
  }, 120_000);
});

function esmProgram(manifest: Manifest): string {
  const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'));
  const imports = subpaths.map(
    (path) => `await import('nestjs-etcd-coordination${path.slice(1)}');`,
  );
  return `import 'reflect-metadata';
    ${imports.join('\n')}
    const { EtcdCoordinationModule, Leader } = await import('nestjs-etcd-coordination');
    console.log(typeof EtcdCoordinationModule.forRoot, typeof Leader);`;
}

/** Packages named by static and late imports, and by `require.resolve`, in built code. */
async function importedPackages(folder: string): Promise<string[]> {
  const names = new Set<string>();
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.js')) continue;
    const code = await readFile(join(folder, file), 'utf8');
    const specifiers = code.matchAll(
      /(?:^\s*(?:import|export)\s[^;'"]*?from\s*|^import\s*|import\(|\.resolve\(|require\()['"]([^'".][^'"]*)['"]/gm,
    );
    for (const [, specifier] of specifiers) {
      if (!specifier || isBuiltin(specifier)) continue;
      names.add(
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      );
    }
  }
  return [...names].sort();
}
