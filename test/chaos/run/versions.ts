import { readFileSync } from 'node:fs';

const manifest = new URL('../../../libs/etcd-coordination/package.json', import.meta.url);

/** Of the library under test, as its manifest says it. */
export function libraryVersion(): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
