import { Etcd3, type SoftwareTransaction } from 'etcd3';
import type { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdTransactions } from '../../libs/etcd-coordination/src/transaction/etcd-transactions.js';
import type { EtcdSession } from '../../libs/etcd-coordination/src/session/etcd-session.js';
import type { Contender, Measure } from './alternate.js';

const WORKERS = 16;
const TURNS = 20;
const IN_A_ROW = 100;

/** Reads a counter and writes one more. */
type Increment = () => Promise<unknown>;

/** Software transactions: a counter that one increments, and one that all do; and what a fence costs. */
export function stmMeasures(
  plain: Etcd3,
  library: {
    readonly client: EtcdClient;
    readonly session: EtcdSession;
    readonly namespace: string;
  },
): Measure[] {
  const transactions = new EtcdTransactions(library);
  const own = (key: string) => () =>
    transactions.stm(async (t) => t.put(key, `${Number((await t.get(key))?.text() ?? 0) + 1}`));
  const theirs = (key: string) => async () => {
    const increment = async (t: SoftwareTransaction) => {
      const value = Number((await t.get(key).string()) ?? 0);
      await t.put(key).value(`${value + 1}`);
    };
    // Its own back-off is none, and its own number of attempts far too small for this.
    await plain.stm({ retries: 100_000 }).transact(increment);
  };
  return [
    {
      title: `increments of a counter by stm, uncontended, ${IN_A_ROW} in a row`,
      unit: 'µs/increment',
      rounds: 10,
      contenders: [
        alone('etcd3', theirs('bench/plain/stm/alone')),
        alone('library', own('app/stm/alone')),
      ],
    },
    {
      title: `increments of one counter by stm, ${WORKERS} workers of one process`,
      unit: 'µs/increment',
      rounds: 5,
      contenders: [
        together('etcd3', theirs('bench/plain/stm/together')),
        together('library', own('app/stm/together')),
      ],
      atMostRatio: 0.5,
    },
    {
      title: `one key put by a transaction, ${IN_A_ROW} in a row`,
      unit: 'µs/write',
      rounds: 10,
      contenders: [
        alone('etcd3', () =>
          plain
            .if('bench/plain/cas', 'Version', '>', -1)
            .then(plain.put('bench/plain/cas').value('x'))
            .commit(),
        ),
        // What a lost answer is settled by is one comparison and one put more.
        alone('library', () => transactions.batch().put('app/cas', 'x').commit()),
      ],
    },
  ];
}

function alone(name: string, work: Increment): Contender {
  return {
    name,
    async run() {
      const start = performance.now();
      for (let n = 0; n < IN_A_ROW; n++) await work();
      return ((performance.now() - start) * 1000) / IN_A_ROW;
    },
  };
}

function together(name: string, work: Increment): Contender {
  return {
    name,
    async run() {
      const start = performance.now();
      const worker = async () => {
        for (let n = 0; n < TURNS; n++) await work();
      };
      await Promise.all(Array.from({ length: WORKERS }, worker));
      return ((performance.now() - start) * 1000) / (WORKERS * TURNS);
    },
  };
}
