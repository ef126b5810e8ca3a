import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transpile } from '../../../scripts/ts-loader/transpile.mjs';
import { mutated } from './mutated.mjs';

const source = new URL('../../../libs/etcd-coordination/src/', import.meta.url);
const byUrl = new Map();

/** @param {{ readonly file: string }[]} replacements */
export function initialize(replacements) {
  for (const one of replacements) {
    const { href } = new URL(one.file, source);
    byUrl.set(href, [...(byUrl.get(href) ?? []), one]);
  }
}

export async function load(url, context, next) {
  const replacements = byUrl.get(url);
  if (!replacements) return next(url, context);
  const file = fileURLToPath(url);
  const text = mutated(readFileSync(file, 'utf8'), replacements);
  return { format: 'module', source: transpile(file, text), shortCircuit: true };
}
