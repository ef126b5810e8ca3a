import { expect } from 'vitest';
import { EmbeddedEtcd } from 'nestjs-etcd-coordination/embedded';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { EtcdApi } from './etcd-api.js';
import { WatchTape } from './watch-tape.js';

/** The real lines that can be had here. Where there is none, there is nothing to conform to. */
export const LINES = await availableEtcdLines();

/** From this line on a scenario is the same; older ones have a known difference. */
export type Since = '3.4' | '3.5.16' | '3.5';

const ORDER: readonly string[] = ['3.4', '3.5.16', '3.5'];

/** One server of the rig. */
export interface Server {
  /** `embedded`, or the line of a real one. */
  readonly name: string;
  readonly api: EtcdApi;
  /** A watch stream, closed after the scenario. */
  tape(): WatchTape;
}

/** What is done to a server; what it returns must be the same for all. */
export type Scenario = (server: Server, base: number) => Promise<unknown>;

const ALL = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

/** The embedded server and a real one of each line, kept at the same revision. */
export class Rig {
  private constructor(
    private readonly servers: readonly Server[],
    private readonly tapes: Set<WatchTape>,
    private readonly stops: readonly (() => Promise<void>)[],
  ) {}

  static async start(
    options: { realArgs?: string[]; progressNotifyIntervalMs?: number; lines?: string[] } = {},
  ): Promise<Rig> {
    const { realArgs = [], progressNotifyIntervalMs, lines = LINES } = options;
    const embedded = await EmbeddedEtcd.start({
      logger: false,
      ...(progressNotifyIntervalMs && { progressNotifyIntervalMs }),
    });
    const reals = await Promise.all(
      lines.map(async (line) => ({
        line,
        // Etcd's own timing, as the least TTL hangs on it.
        server: await EtcdServer.start({
          line,
          electionMs: 1000,
          heartbeatMs: 100,
          extraArgs: realArgs,
        }),
      })),
    );
    const tapes = new Set<WatchTape>();
    const server = (name: string, endpoint: string): Server => {
      const api = new EtcdApi(endpoint);
      return {
        name,
        api,
        tape: () => {
          const tape = new WatchTape(api);
          tapes.add(tape);
          return tape;
        },
      };
    };
    return new Rig(
      [
        server('embedded', embedded.endpoint),
        ...reals.map(({ line, server: real }) => server(line, real.endpoint)),
      ],
      tapes,
      [
        () => embedded.close(),
        ...reals.map(
          ({ server: real }) =>
            () =>
              real.stop(),
        ),
      ],
    );
  }

  async stop(): Promise<void> {
    for (const { api } of this.servers) api.close();
    await Promise.all(this.stops.map((stop) => stop()));
  }

  /**
   * Empties every server and brings all to one revision, compacted there; then
   * plays the scenario on each, and holds each real answer against the embedded one.
   */
  compare(scenario: Scenario, since: Since = '3.4'): Promise<void> {
    return this.play(since, (servers, base) =>
      Promise.all(servers.map((server) => scenario(server, base))),
    );
  }

  /** The same, but the real servers play after the embedded one, which shows what to wait for. */
  compareAfterModel(scenario: Scenario): Promise<void> {
    return this.play('3.4', async ([embedded, ...reals], base) => [
      await scenario(embedded!, base),
      ...(await Promise.all(reals.map((server) => scenario(server, base)))),
    ]);
  }

  private async play(
    since: Since,
    perform: (servers: readonly Server[], base: number) => Promise<unknown[]>,
  ): Promise<void> {
    const servers = this.servers.filter(
      ({ name }) => name === 'embedded' || ORDER.indexOf(name) >= ORDER.indexOf(since),
    );
    const base = await align(servers);
    try {
      const [model, ...results] = await perform(servers, base);
      results.forEach((result, index) => {
        expect(model, `the embedded etcd against etcd ${servers[index + 1]!.name}`).toEqual(result);
      });
      for (const tape of this.tapes) expect(tape.torn).toEqual([]);
    } finally {
      for (const tape of this.tapes) tape.close();
      this.tapes.clear();
    }
  }

  /** Plays the scenario on servers as they were started, before any {@link compare}. */
  async compareFresh(scenario: Scenario): Promise<void> {
    const results = await Promise.all(this.servers.map((server) => scenario(server, 1)));
    results.slice(1).forEach((result, index) => {
      expect(results[0], `the embedded etcd against etcd ${LINES[index]}`).toEqual(result);
    });
  }
}

async function align(servers: readonly Server[]): Promise<number> {
  const revisions = await Promise.all(servers.map(({ api }) => empty(api)));
  const target = Math.max(...revisions) + 1;
  await Promise.all(
    servers.map(async ({ api }, index) => {
      for (let revision = revisions[index]!; revision < target; revision++) {
        const request = { key: Buffer.from('filler') };
        await api.response('KV', 'Put', request);
      }
      await api.response('KV', 'DeleteRange', ALL);
      await api.response('KV', 'Compact', { revision: target + 1, physical: true });
    }),
  );
  return target + 1;
}

/** Removes leases and keys. Returns the revision after that. */
async function empty(api: EtcdApi): Promise<number> {
  const { leases } = await api.response('Lease', 'LeaseLeases');
  for (const { ID } of leases as { ID: string }[]) await api.call('Lease', 'LeaseRevoke', { ID });
  const { header } = await api.response('KV', 'DeleteRange', ALL);
  return Number(header.revision);
}
