import { rawEtcd } from '../../support/raw-etcd.js';
import { written } from './watch-log.js';

/** What was written, line by line as a {@link WatchLog} must show it, and the first revision of it. */
export interface History {
  readonly from: bigint;
  readonly lines: readonly string[];
}

interface HistoryShape {
  /** Revisions of one put each. */
  readonly singles: number;
  /** Revisions of 50 puts and 50 deletes each. */
  readonly hundreds?: number;
  readonly valueBytes?: number;
}

/** Writes a history under a prefix, past every proxy. */
export async function writeHistory(
  endpoint: string,
  prefix: string,
  { singles, hundreds = 0, valueBytes = 1 }: HistoryShape,
): Promise<History> {
  using etcd = rawEtcd(endpoint);
  const { kv } = etcd.client;
  const value = Buffer.alloc(valueBytes, 'x');
  const written: [revision: bigint, lines: string[]][] = [];
  const put = async (index: number) => {
    const key = `${prefix}single/${index}`;
    const { header } = await kv.put({ key: Buffer.from(key), value });
    written.push([BigInt(header.revision), [line('put', key, header.revision)]]);
  };
  const putAndDelete = async (round: number) => {
    const key = (index: number) => `${prefix}many/${index}`;
    const fresh = range(50).map((index) => key(index + 50 * (round % 2)));
    const stale = round === 0 ? [] : range(50).map((index) => key(index + 50 * ((round + 1) % 2)));
    const { header } = await kv.txn({
      compare: [],
      success: [
        ...fresh.map((key) => ({ request_put: { key: Buffer.from(key), value } })),
        ...stale.map((key) => ({ request_delete_range: { key: Buffer.from(key) } })),
      ],
      failure: [],
    });
    const lines = [
      ...fresh.map((key) => line('put', key, header.revision)),
      ...stale.map((key) => line('delete', key, header.revision)),
    ];
    written.push([BigInt(header.revision), lines]);
  };
  await inChunks(range(singles / 2), 64, put);
  for (const round of range(hundreds)) await putAndDelete(round);
  await inChunks(range(singles / 2), 64, (index) => put(index + singles / 2));
  written.sort(([a], [b]) => (a < b ? -1 : 1));
  return { from: written[0]![0], lines: written.flatMap(([, lines]) => lines) };
}

const line = written;

async function inChunks<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < items.length; start += size) {
    await Promise.all(items.slice(start, start + size).map(work));
  }
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
