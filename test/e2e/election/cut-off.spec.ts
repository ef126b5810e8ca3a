import { describe, expect, it } from 'vitest';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest } from '../watch/servers.js';
import { Instance, TermLog } from './instance.js';

const servers = await serversUnderTest();

describe.concurrent.each(servers)('a leader that is cut off from $name, at TTL 5', ({ start }) => {
  it.each(['both', 'to-client'] as const)(
    'is told to stop before another one can win (%s)',
    async (way) => {
      const server = await start();
      const network = await TcpProxy.start({ target: server.endpoint });
      const far = await Instance.start('far', network.url, { ttlSeconds: 5 });
      const near = await Instance.start('near', server.endpoint, { ttlSeconds: 5 });
      try {
        const term = await far.elections.campaign('cut-off');
        let abortedAt: number | undefined;
        term.signal.addEventListener('abort', () => (abortedAt = performance.now()));
        const log = new TermLog(near, 'cut-off');
        let wonAt: number | undefined;
        near.elections.term$('cut-off').subscribe((own) => {
          if (own) wonAt = performance.now();
        });
        await near.elections.join('cut-off');
        network.blackhole(way);
        await waitFor(() => abortedAt ?? wonAt, { what: 'the term to end', intervalMs: 2 });
        expect(wonAt).toBeUndefined();
        expect(term.signal.reason).toMatchObject({ reason: 'session-lost' });
        expect(term.isValid()).toBe(false);
        const next = await waitFor(() => log.standing, { what: 'the other one to lead' });
        expect(next.epoch).toBeGreaterThan(term.epoch);
        expect(abortedAt).toBeLessThan(wonAt!);
      } finally {
        await network.pass();
        await Promise.all([far.close(), near.close()]);
        await network.close();
        await server.stop();
      }
    },
    60_000,
  );
});
