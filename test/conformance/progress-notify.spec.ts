import { afterAll, beforeAll, describe, test } from 'vitest';
import { b, put } from './support/requests.js';
import { LINES, Rig } from './support/rig.js';

/**
 * Etcd 3.4 cannot be told how often, and early 3.5 also tells watches of their
 * progress that have not begun.
 */
const LINES_WITH_INTERVAL = LINES.filter((line) => line === '3.5');
const INTERVAL_MS = 200;

describe.skipIf(LINES_WITH_INTERVAL.length === 0)('notices of progress, as etcd sends them', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start({
      lines: LINES_WITH_INTERVAL,
      realArgs: [`--experimental-watch-progress-notify-interval=${INTERVAL_MS}ms`],
      progressNotifyIntervalMs: INTERVAL_MS,
    });
  });
  afterAll(() => rig.stop());

  test('to watches that asked for them, have caught up and have begun', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      const notices = (id: string, revision: number) =>
        watch.responses.some(
          ({ watch_id, header, created, events }) =>
            watch_id === id && !created && events.length === 0 && header.revision === `${revision}`,
        );
      const asking = { key: b('a'), progress_notify: true };
      await watch.create({ ...asking, watch_id: 1 });
      await watch.create({ key: b('a'), watch_id: 2 });
      await watch.create({ ...asking, watch_id: 3, start_revision: base + 2 });
      await watch.until(() => notices('1', base), 'a first notice');
      await put(api, 'a', 'x');
      await put(api, 'elsewhere', 'x');
      await watch.until(() => notices('1', base + 2), 'a notice after the writes');
      await watch.until(() => notices('3', base + 2), 'a notice after the start');
      return [notices('2', base), notices('2', base + 2), notices('3', base), notices('-1', base)];
    }));
});
