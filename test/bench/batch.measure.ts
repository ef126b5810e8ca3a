import type { Etcd3 } from 'etcd3';
import { WriteBatcher } from '../../libs/etcd-coordination/src/transaction/write-batcher.js';
import type { Contender, Measure } from './alternate.js';
import { GoBench } from './go-bench.js';
import type { LibraryInstance } from './library.js';

const VALUE = 'v'.repeat(100);
const KEYS = 1000;
const IN_FLIGHT = 64;
/** How long a rate is counted, and how long it warms up before, in milliseconds. */
const COUNTED_MS = 1000;
const WARM_UP_MS = 200;
/** Few, and often: etcd's disk has slow spells of a second, which are to be no one contender's. */
const IN_A_ROW = 100;

/** One write or read, of one of the keys. */
type Operation = (key: string) => Promise<unknown>;

/** Writes and reads of small keys through the batcher, beside those of etcd3 and of Go's client. */
export class BatchMeasures {
  private readonly go = GoBench.fromEnv();
  private readonly batcher: WriteBatcher;

  constructor(
    private readonly endpoint: string,
    private readonly plain: Etcd3,
    library: LibraryInstance,
  ) {
    this.batcher = new WriteBatcher(library);
  }

  get all(): Measure[] {
    const put: Operation = (key) => this.batcher.put(`app/batch/${key}`, VALUE);
    const get: Operation = (key) => this.batcher.get(`app/batch/${key}`);
    const plainPut: Operation = (key) => this.plain.put(`bench/batch/${key}`).value(VALUE).exec();
    const plainGet: Operation = (key) => this.plain.get(`bench/batch/${key}`).string();
    return [
      {
        title: 'batched writes, one at a time',
        unit: 'µs/write',
        rounds: 40,
        contenders: [inARow('plain etcd3', plainPut), inARow('library', put)],
        atMostRatio: 1,
      },
      ...this.rates('writes', 'put', plainPut, put, 5, 1.5),
      {
        title: `batched writes, ${IN_FLIGHT} in flight, the slowest of 100, beside one at a time`,
        unit: 'µs/write',
        rounds: 8,
        contenders: [
          slowest('plain etcd3, alone', plainPut, 1),
          slowest('library', put, IN_FLIGHT),
        ],
        atMostRatio: 1.5,
      },
      ...this.rates('reads', 'get', plainGet, get, 4),
    ];
  }

  async close(): Promise<void> {
    await this.batcher.close();
  }

  private rates(
    what: string,
    op: string,
    plain: Operation,
    library: Operation,
    atLeastRatio: number,
    ofGo?: number,
  ): Measure[] {
    const own = rate('library', library);
    const measure = (title: string, first: Contender, atLeastOfFirst: number | undefined) => ({
      title: `batched ${what}, ${IN_FLIGHT} in flight, ${title}`,
      unit: `${what}/s`,
      rounds: 6,
      contenders: [first, own],
      ...(atLeastOfFirst === undefined ? {} : { atLeastRatio: atLeastOfFirst }),
    });
    const measures = [measure('beside etcd3', rate('plain etcd3', plain), atLeastRatio)];
    const { go } = this;
    if (go) {
      const options = { op, c: IN_FLIGHT, d: COUNTED_MS / 1000, warm: WARM_UP_MS / 1000 };
      const run = async () => (await go.run('kv-tp', this.endpoint, options)).ops_s;
      measures.push(measure('beside Go', { name: 'Go clientv3', run }, ofGo));
    }
    return measures;
  }
}

function inARow(name: string, operation: Operation): Contender {
  return {
    name,
    async run() {
      const start = performance.now();
      for (let n = 0; n < IN_A_ROW; n++) await operation(`k${n % KEYS}`);
      return ((performance.now() - start) * 1000) / IN_A_ROW;
    },
  };
}

function rate(name: string, operation: Operation): Contender {
  return {
    name,
    async run() {
      await forAWhile(operation, IN_FLIGHT, WARM_UP_MS);
      const start = performance.now();
      const times = await forAWhile(operation, IN_FLIGHT, COUNTED_MS);
      return (times.length * 1000) / (performance.now() - start);
    },
  };
}

/** The time that 99 of 100 take at most. */
function slowest(name: string, operation: Operation, inFlight: number): Contender {
  return {
    name,
    async run() {
      await forAWhile(operation, inFlight, WARM_UP_MS);
      const times = await forAWhile(operation, inFlight, COUNTED_MS);
      times.sort((a, b) => a - b);
      return times[Math.floor(times.length * 0.99)]! * 1000;
    },
  };
}

/** Milliseconds that each took. No two under way are of one key. */
async function forAWhile(
  operation: Operation,
  inFlight: number,
  whileMs: number,
): Promise<number[]> {
  const end = performance.now() + whileMs;
  const times: number[] = [];
  const worker = async (_: unknown, index: number) => {
    for (let n = index; ; n += inFlight) {
      const start = performance.now();
      if (start >= end) return;
      await operation(`k${n % (KEYS - (KEYS % inFlight))}`);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return times;
}
