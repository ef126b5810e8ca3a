import { Etcd3 } from 'etcd3';
import type { Contender, Measure } from './alternate.js';

type Operation = (client: Etcd3, key: string) => Promise<unknown>;

const VALUE = 'v'.repeat(64);
const put: Operation = (client, key) => client.put(key).value(VALUE).exec();
const get: Operation = (client, key) => client.get(key).string();

/** Puts and gets through etcd3's own interface, over its own connection and over the library's. */
export function callMeasures(plain: Etcd3, library: Etcd3): Measure[] {
  const both = (operation: Operation, inFlight: number, calls: number): Contender[] => [
    contender('plain etcd3', plain, 'plain', operation, inFlight, calls),
    contender('library', library, 'library', operation, inFlight, calls),
  ];
  const measure = (title: string, contenders: Contender[]): Measure => ({
    title,
    unit: 'µs/call',
    rounds: 15,
    contenders,
    atMostRatio: 1.1,
  });
  return [
    measure('put, one at a time', both(put, 1, 300)),
    measure('get, one at a time', both(get, 1, 300)),
    measure('put, 64 in flight', both(put, 64, 2500)),
    measure('get, 64 in flight', both(get, 64, 2500)),
  ];
}

function contender(
  name: string,
  client: Etcd3,
  prefix: string,
  operation: Operation,
  inFlight: number,
  calls: number,
): Contender {
  return {
    name,
    async run() {
      let begun = 0;
      const worker = async () => {
        while (begun < calls) await operation(client, `bench/${prefix}/${begun++ % 64}`);
      };
      const start = performance.now();
      await Promise.all(Array.from({ length: inFlight }, worker));
      return ((performance.now() - start) * 1000) / calls;
    },
  };
}
