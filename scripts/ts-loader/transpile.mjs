import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'ts-loader');
const require = createRequire(import.meta.url);

/** The options of tsconfig.json that change what comes out; its checks are `npm run typecheck`'s work. */
const OPTIONS = {
  target: 'es2023',
  module: 'esnext',
  useDefineForClassFields: false,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  inlineSourceMap: true,
  inlineSources: false,
};

let typescript;

/**
 * One TypeScript file as JavaScript, or another text in its place. The compiler is loaded only for a file whose text is not in the cache:
 * it alone takes longer to load than everything that a worker needs.
 */
export function transpile(file, source = readFileSync(file, 'utf8')) {
  const key = createHash('sha256').update(JSON.stringify(OPTIONS)).update(file).update(source);
  const cached = join(cache, `${key.digest('hex')}.mjs`);
  try {
    return readFileSync(cached, 'utf8');
  } catch {
    // Not there yet.
  }
  typescript ??= require('typescript');
  const { outputText } = typescript.transpileModule(source, {
    fileName: file,
    compilerOptions: {
      ...OPTIONS,
      target: typescript.ScriptTarget.ES2023,
      module: typescript.ModuleKind.ESNext,
    },
  });
  mkdirSync(cache, { recursive: true });
  // Renamed into place: another process may be reading.
  const part = `${cached}.${process.pid}`;
  writeFileSync(part, outputText);
  renameSync(part, cached);
  return outputText;
}
