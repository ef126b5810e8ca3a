/**
 * Run by fan-out.measure.ts with --expose-gc, in a process of its own: what many
 * subscribers cost. Prints one line of JSON.
 */
import { Etcd3, type Watcher } from 'etcd3';
import { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../libs/etcd-coordination/src/watch/watch.service.js';
import { LibraryInstance } from './library.js';
import { median } from './alternate.js';

const [endpoint, contender, subscribers] = process.argv.slice(2) as [string, string, string];
const COUNT = Number(subscribers);
const NAMESPACE = 'bench/fan-out';
const name = (index: number) => `${contender}/users/${index}/profile`;

const heap = () => {
  (globalThis as unknown as { gc(): void }).gc();
  return process.memoryUsage().heapUsed;
};

const writer = new Etcd3({ hosts: endpoint });
const client = await LibraryInstance.connect(endpoint);
const hub = new WatchHub(client);
const watch = new WatchService(client, hub, NAMESPACE);
let told: (at: number) => void = () => undefined;
let before = 0;
let setUpMs = 0;

if (contender === 'etcd3') {
  before = heap();
  const start = performance.now();
  const watchers: Promise<Watcher>[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    watchers.push(
      writer
        .watch()
        .key(`${NAMESPACE}/${name(index)}`)
        .create(),
    );
  }
  for (const watcher of await Promise.all(watchers))
    watcher.on('put', () => told(performance.now()));
  setUpMs = performance.now() - start;
} else {
  // With a standing prefix they join it; without, each has a watch of its own.
  if (contender === 'joined') {
    await new Promise<void>((resolve) => {
      watch.prefix(`${contender}/users/`, { onStanding: () => resolve() }).subscribe();
    });
  }
  before = heap();
  const start = performance.now();
  let standing = contender === 'joined' ? COUNT : 0;
  await new Promise<void>((resolve) => {
    const stands = () => (standing += 1) === COUNT && resolve();
    // What it joins stands already.
    const options = contender === 'joined' ? undefined : { onStanding: stands };
    for (let index = 0; index < COUNT; index += 1) {
      watch.key(name(index), options).subscribe(() => told(performance.now()));
    }
    if (standing === COUNT) resolve();
  });
  setUpMs = performance.now() - start;
}
const heapMb = (heap() - before) / 2 ** 20;

// From the moment at which the hub has an event to the subscriber's callback.
const samples: number[] = [];
let received = 0;
const internals = hub as unknown as { receive(response: unknown): void };
const receive = internals.receive.bind(hub);
internals.receive = (response) => {
  received = performance.now();
  receive(response);
};
for (let round = 0; round < 300; round += 1) {
  const arrived = new Promise<number>((resolve) => (told = resolve));
  await writer.put(`${NAMESPACE}/${name((round * 7919) % COUNT)}`).value('x');
  samples.push(((await arrived) - received) * 1000);
}
const findUs = contender === 'etcd3' ? null : median(samples.slice(100));
console.log(JSON.stringify({ setUpMs, heapMb, findUs }));
process.exit(0);
