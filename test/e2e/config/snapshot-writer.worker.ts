/** A process that writes its snapshot again and again, as fast as it can. */
import { writeAtomically } from '../../../libs/etcd-coordination/src/files/atomic-file.js';
import { encodeSnapshot } from '../../../libs/etcd-coordination/src/config/snapshot/snapshot-codec.js';

const [file, size] = process.argv.slice(2);
const writtenAt = new Date().toISOString();
const documents = [{ layer: 'shared' as const, revision: '1', document: 'x'.repeat(Number(size)) }];
const data = encodeSnapshot(
  {
    ...{ namespace: 'shop', service: null, clusterId: null },
    configurations: [{ key: 'prices', savedAt: writtenAt, documents }],
  },
  { writer: 'worker', writtenAt },
  null,
);

await writeAtomically(file!, data, 'worker');
console.log(JSON.stringify({ type: 'wrote' }));
for (;;) await writeAtomically(file!, data, 'worker');
