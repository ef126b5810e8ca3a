import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transpile } from './transpile.mjs';

const LIBRARY = 'nestjs-etcd-coordination';
const source = new URL('../../libs/etcd-coordination/src/', import.meta.url);

/** The library under its published name is its source; `./x.js` beside a `.ts` file is `./x.ts`. */
export async function resolve(specifier, context, next) {
  if (specifier === LIBRARY) return next(new URL('index.ts', source).href, context);
  if (specifier.startsWith(`${LIBRARY}/`)) {
    const path = `${specifier.slice(LIBRARY.length + 1)}/index.ts`;
    return next(new URL(path, source).href, context);
  }
  if (/^\.{1,2}\//.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (url.pathname.endsWith('.ts') && existsSync(url)) return next(url.href, context);
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  return { format: 'module', source: transpile(fileURLToPath(url)), shortCircuit: true };
}
