import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempFolder } from '../support/temp-folder.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const library = join(root, 'libs', 'etcd-coordination');
const NAME = 'nestjs-etcd-coordination';

/** The library as a user gets it: built, packed, and unpacked into an application of its own. */
export interface PackedLibrary {
  /** An empty application with the package in its node_modules. */
  readonly application: string;
  /** The package as it is installed there. */
  readonly folder: string;
  /** Paths in the tarball. */
  readonly files: readonly string[];
}

/**
 * Builds into a folder of its own, so that neither a running build nor an old one is in the way. Nothing is
 * downloaded: what the package depends on is linked from the workspace.
 */
export async function packLibrary(): Promise<PackedLibrary> {
  const stage = tempFolder('package');
  // Not inside the stage: a package's name means itself to every file below its package.json.
  const application = tempFolder('application');
  const modules = join(application, 'node_modules');
  await Promise.all([mkdir(modules, { recursive: true }), buildInto(stage)]);

  await writeFile(join(application, 'package.json'), '{ "private": true }');
  const { stdout } = await npm(stage, 'pack', '--json', '--pack-destination', application);
  const [tarball] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  await run('tar', ['-xzf', join(application, tarball.filename), '-C', application]);
  await cp(join(application, 'package'), join(modules, NAME), { recursive: true });
  await linkDependencies(modules);
  return {
    application,
    folder: join(modules, NAME),
    files: tarball.files.map((file) => file.path),
  };
}

/** Runs a file of the application with Node. */
export async function runIn(
  application: string,
  file: string,
  source: string,
): Promise<{ stdout: string; stderr: string }> {
  await writeFile(join(application, file), source);
  return run(process.execPath, [file], { cwd: application });
}

/** Type-checks files of the application as a user's compiler would; rejects with what it says. */
export async function typeCheckIn(
  application: string,
  sources: Readonly<Record<string, string>>,
): Promise<void> {
  const files = Object.keys(sources);
  await Promise.all(files.map((file) => writeFile(join(application, file), sources[file] ?? '')));
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    moduleResolution: 'nodenext',
    strict: true,
    noEmit: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    types: ['node'],
  };
  await writeFile(join(application, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  await tsc('-p', application);
}

async function buildInto(stage: string): Promise<void> {
  await cp(join(library, 'package.json'), join(stage, 'package.json'));
  await run(process.execPath, [join(root, 'scripts/release/prepare-package.mjs'), stage]);
  // What the library's `prepack` does has just been done.
  await npm(stage, 'pkg', 'delete', 'scripts');
  await tsc('-p', join(library, 'tsconfig.lib.json'), '--outDir', join(stage, 'dist'));
}

async function linkDependencies(modules: string): Promise<void> {
  const workspace = join(root, 'node_modules');
  const entries = await readdir(workspace);
  const names = entries.filter((name) => !name.startsWith('.') && name !== NAME);
  await Promise.all(names.map((name) => symlink(join(workspace, name), join(modules, name))));
}

async function tsc(...args: string[]): Promise<void> {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  await run(process.execPath, [compiler, ...args]).catch((error: { stdout?: string }) => {
    throw new Error(`tsc ${args.join(' ')} says:\n${error.stdout}`, { cause: error });
  });
}

function npm(cwd: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run('npm', [...args], { cwd, env: { ...process.env, npm_config_ignore_scripts: 'true' } });
}
