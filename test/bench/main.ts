/**
 * `npm run bench`: the library beside plain etcd3, in one alternating run against one real
 * etcd, and beside Go's client where `GO_BENCH` names its program. Medians; ratios are
 * taken within a round. Exits with 1 if a target is missed.
 */
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { Etcd3 } from 'etcd3';
import { EtcdServer } from '../support/etcd-server.js';
import { alternate, type Measure } from './alternate.js';
import { BatchMeasures } from './batch.measure.js';
import { callMeasures } from './calls.measure.js';
import { ConfigFanOut } from './config-fan-out.measure.js';
import { configReadMeasures } from './config-read.measure.js';
import { fanOutMeasures } from './fan-out.measure.js';
import { handOverMeasure } from './hand-over.measure.js';
import { leaderGateMeasure } from './leader-gate.measure.js';
import { LibraryInstance } from './library.js';
import { LimitMeasures } from './limit.measure.js';
import { LockMeasures } from './locks.measure.js';
import { RegistryMeasures } from './registry.measure.js';
import { print } from './report.js';
import { sessionMeasure } from './session.measure.js';
import { resilientMeasure } from './resilient.measure.js';
import { SlowInstance } from './slow-instance.measure.js';
import { startMeasure } from './start.measure.js';
import { stmMeasures } from './stm.measure.js';
import { fleetTestMeasure } from './testing.measure.js';
import { watchBurstMeasure, watchLatencyMeasure } from './watch.measure.js';

// What is measured is not the terminal.
Logger.overrideLogger(['error', 'warn']);

const server = process.env['ETCD_ENDPOINTS'] ? null : await EtcdServer.start();
const endpoint = server?.endpoint ?? process.env['ETCD_ENDPOINTS']!.split(',')[0]!;
const plain = new Etcd3({ hosts: endpoint });
const pair: [LibraryInstance, LibraryInstance] = [
  await LibraryInstance.start(endpoint, 'a'),
  await LibraryInstance.start(endpoint, 'b'),
];
const gate = await leaderGateMeasure(endpoint);
const resilient = await resilientMeasure(endpoint);
const configReads = await configReadMeasures(endpoint);
const batches = new BatchMeasures(endpoint, plain, pair[0]);
const locks = new LockMeasures(endpoint, plain, pair);
const configFanOut = new ConfigFanOut(endpoint, pair[0].client);
const registry = await RegistryMeasures.start(endpoint);
const limits = await LimitMeasures.start(endpoint);
const slowInstance = await SlowInstance.start(endpoint);

const { version } = await plain.maintenance.status();
console.log(
  `etcd ${version}, Node ${process.version}, medians (least to most), ratios to the first`,
);
const wanted = process.argv[2];
const measures: Measure[] = [
  startMeasure(endpoint),
  ...callMeasures(plain, pair[0].client.etcd),
  sessionMeasure(plain, pair[0].client),
  handOverMeasure(endpoint, pair, 10, 3),
  handOverMeasure(endpoint, pair, 300, 4),
  gate.measure,
  resilient.measure,
  ...configReads.measures,
  watchLatencyMeasure(plain, pair[0].watches, pair[0].namespace),
  watchBurstMeasure(plain, pair[0].watches, pair[0].namespace),
  ...fanOutMeasures(endpoint),
  ...locks.all,
  configFanOut.measure,
  ...stmMeasures(plain, pair[0]),
  ...batches.all,
  ...slowInstance.all,
  ...registry.all,
  ...limits.all,
  fleetTestMeasure(),
];
let missed = 0;
for (const measure of measures.filter((m) => !wanted || m.title.includes(wanted))) {
  const outcome = await alternate(measure);
  print(outcome);
  if (outcome.met === false) missed += 1;
}

plain.close();
await gate.close();
await resilient.close();
await configReads.close();
await configFanOut.close();
await batches.close();
await locks.close();
await limits.close();
await slowInstance.close();
await registry.close();
for (const instance of pair) await instance.close();
await server?.stop();
console.log(missed === 0 ? '\nAll targets met.' : `\n${missed} target(s) missed.`);
process.exitCode = missed === 0 ? 0 : 1;
