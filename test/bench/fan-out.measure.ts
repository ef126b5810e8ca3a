import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Contender, Measure } from './alternate.js';

const run = promisify(execFile);
const loader = new URL('../../scripts/ts-loader/register.mjs', import.meta.url).href;
const worker = fileURLToPath(new URL('./fan-out.worker.ts', import.meta.url));

interface FanOut {
  readonly setUpMs: number;
  readonly heapMb: number;
  /** From the hub to the subscriber. */
  readonly findUs: number;
}

/** 10,000 subscribers on separate keys under a watched prefix, beside a tenth of them on plain etcd3. */
export function fanOutMeasures(endpoint: string): Measure[] {
  const contender = (
    name: string,
    kind: string,
    subscribers: number,
    figure: keyof FanOut,
  ): Contender => ({
    name,
    async run() {
      const args = ['--expose-gc', '--import', loader, worker, endpoint, kind, `${subscribers}`];
      const { stdout } = await run(process.execPath, args);
      return (JSON.parse(stdout.trim().split('\n').at(-1)!) as FanOut)[figure];
    },
  });
  const plain = (figure: keyof FanOut) => contender('plain etcd3, 1,000', 'etcd3', 1000, figure);
  const joined = (figure: keyof FanOut) => contender('library, 10,000', 'joined', 10_000, figure);
  const alone = (figure: keyof FanOut) => contender('library, no prefix', 'alone', 10_000, figure);
  return [
    {
      title: 'subscribers on separate keys under one watched prefix, set-up',
      unit: 'ms',
      rounds: 5,
      contenders: [plain('setUpMs'), joined('setUpMs'), alone('setUpMs')],
      atMost: 200,
    },
    {
      title: 'subscribers on separate keys under one watched prefix, heap',
      unit: 'MiB',
      rounds: 3,
      contenders: [plain('heapMb'), joined('heapMb'), alone('heapMb')],
      atMost: 40,
    },
    {
      title: 'an event finds its one among 10,000 subscribers',
      unit: 'µs',
      rounds: 5,
      contenders: [joined('findUs')],
      atMost: 50,
    },
  ];
}
