import type { Etcd3, IWatchRequest, IWatchResponse } from 'etcd3';
import { prefixRange } from '../../libs/etcd-coordination/src/watch/key-range.js';
import type { WatchService } from '../../libs/etcd-coordination/src/watch/watch.service.js';
import { median, type Contender, type Measure } from './alternate.js';

const VALUE = Buffer.from('v'.repeat(64));
const PUTS = 200;
const BURST = 20_000;
const IN_FLIGHT = 64;

/** A watch under test: calls `told` with each event's key. */
type Watching = (prefix: string, told: (key: string) => void) => Promise<() => void>;

/** From a put to its subscriber, beside the barest stream that grpc-js can have. */
export function watchLatencyMeasure(
  writer: Etcd3,
  watch: WatchService,
  namespace: string,
): Measure {
  const contender = (name: string, begin: Watching): Contender => ({
    name,
    async run() {
      const prefix = `bench/latency/${name.replaceAll(' ', '-')}/`;
      let arrived: (at: number) => void = () => undefined;
      const stop = await begin(prefix, () => arrived(performance.now()));
      const samples: number[] = [];
      for (let index = 0; index < PUTS; index += 1) {
        const told = new Promise<number>((resolve) => (arrived = resolve));
        const start = performance.now();
        const put = writer.kv.put({
          key: Buffer.from(`${namespace}/${prefix}${index % 16}`),
          value: VALUE,
        });
        samples.push(((await told) - start) * 1000);
        await put;
      }
      stop();
      return median(samples);
    },
  });
  return {
    title: `put to watch subscriber, p50 of ${PUTS}`,
    unit: 'µs',
    rounds: 15,
    contenders: [
      contender('bare grpc-js stream', bareStream(writer, namespace)),
      contender('library', serviceWatch(watch)),
    ],
    atMostRatio: 1.15,
  };
}

/** As many puts as the machine can do, until the last one is told. */
export function watchBurstMeasure(writer: Etcd3, watch: WatchService, namespace: string): Measure {
  const contender = (name: string, begin: Watching): Contender => ({
    name,
    async run() {
      const prefix = `bench/burst/${name.replaceAll(' ', '-')}/`;
      let count = 0;
      let all: () => void = () => undefined;
      const told = new Promise<void>((resolve) => (all = resolve));
      const stop = await begin(prefix, () => {
        if ((count += 1) === BURST) all();
      });
      let begun = 0;
      const worker = async () => {
        while (begun < BURST) {
          const key = Buffer.from(`${namespace}/${prefix}${begun++ % 1000}`);
          await writer.kv.put({ key, value: VALUE });
        }
      };
      const start = performance.now();
      await Promise.all([told, ...Array.from({ length: IN_FLIGHT }, worker)]);
      const took = performance.now() - start;
      stop();
      return took;
    },
  });
  return {
    title: `${BURST} puts under one prefix, until the last is told`,
    unit: 'ms',
    rounds: 4,
    contenders: [
      contender('bare grpc-js stream', bareStream(writer, namespace)),
      contender('library', serviceWatch(watch)),
    ],
    // No less than 0.9 × its rate.
    atMostRatio: 1 / 0.9,
  };
}

function serviceWatch(watch: WatchService): Watching {
  return async (prefix, told) => {
    let subscription: { unsubscribe(): void } | undefined;
    await new Promise<void>((resolve) => {
      subscription = watch
        .prefix(prefix, { onStanding: () => resolve() })
        .subscribe((event) => told(event.key));
    });
    return () => subscription!.unsubscribe();
  };
}

/** Nothing but the stream: no reconnecting, no order, no state. */
function bareStream(etcd: Etcd3, namespace: string): Watching {
  return async (prefix, told) => {
    const stream = (await etcd.watchClient.watch()) as unknown as RawStream;
    const { key, rangeEnd } = prefixRange(`${namespace}/${prefix}`);
    await new Promise<void>((resolve) => {
      stream.on('data', (response) => {
        if (response.created) return resolve();
        for (const { kv } of response.events) told(kv.key.toString());
      });
      stream.on('error', () => undefined);
      stream.write({ create_request: { key, range_end: rangeEnd! } });
    });
    return () => stream.cancel();
  };
}

interface RawStream {
  on(event: 'data', listener: (response: IWatchResponse) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  write(request: IWatchRequest): void;
  cancel(): void;
}
