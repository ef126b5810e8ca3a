import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { MonotonicClock } from '../../client/clock.js';
import type { HeaderFactory } from '../grpc/header.js';
import type { OpenStreams } from '../grpc/open-streams.js';
import type { WatchRequest, WatchResponse } from '../grpc/wire.js';
import type { MvccStore } from '../store/mvcc-store.js';
import type { WatchHub } from './watch-hub.js';
import { WatchStream } from './watch-stream.js';

export interface WatchServiceOptions {
  readonly clock: MonotonicClock;
  /** Between two notices of progress to a watch that asked for them. */
  readonly progressIntervalMs: number;
}

/** The one call of etcd's Watch service. */
export function watchService(
  store: MvccStore,
  hub: WatchHub,
  header: HeaderFactory,
  streams: OpenStreams,
  { clock, progressIntervalMs }: WatchServiceOptions,
) {
  return {
    Watch: (call: ServerDuplexStream<WatchRequest, WatchResponse>) => {
      const stream = streams.open(call);
      const watches = new WatchStream(store, hub, header, stream);

      let cancelTimer: (() => void) | undefined;
      const armProgress = () => {
        cancelTimer ??= clock.setTimer(() => {
          cancelTimer = undefined;
          watches.notifyProgress();
          if (watches.wantsProgress) armProgress();
        }, progressIntervalMs);
      };

      // A client that has no more to ask may still listen, so its 'end' ends nothing.
      call.on('data', (request: WatchRequest) => {
        watches.handle(request);
        if (watches.wantsProgress) armProgress();
      });
      stream.onDrain(() => hub.resume());
      stream.onClose(() => {
        cancelTimer?.();
        watches.close();
      });
    },
  };
}
