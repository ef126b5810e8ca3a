/**
 * `npm run etcd:fetch [line…]` puts real etcd servers into the cache and prints where they are; fails, saying
 * why, if one cannot be had.
 */
import { reasonsByLine, etcdBinary, wantedEtcdLines } from '../test/support/etcd-binaries.js';

const named = process.argv.slice(2);
for (const line of named.length > 0 ? named : await wantedEtcdLines()) {
  const binary = await etcdBinary(line);
  if (binary) {
    console.log(`etcd ${line}: ${binary}`);
    continue;
  }
  process.exitCode = 1;
  console.error(`etcd ${line} cannot be had: ${reasonsByLine.get(line)?.join('; ')}`);
}
