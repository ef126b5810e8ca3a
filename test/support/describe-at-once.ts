import { describe } from 'vitest';

/**
 * A suite for each kind or line of server, all of them at once, for most of their time is spent waiting; its
 * tests run one after the other on each. Not for suites that use what vitest keeps for the one test that
 * runs, `onTestFinished` and spies on what is shared.
 */
export function describeAtOnce<T extends string | { readonly name: string }>(
  servers: readonly T[],
  title: string,
  suite: (server: T) => void,
): void {
  for (const server of servers) {
    const name = typeof server === 'string' ? `etcd ${server}` : server.name;
    describe.concurrent(`on ${name}`, () => {
      describe.sequential(`as one, ${title}`, () => {
        suite(server);
      });
    });
  }
}
