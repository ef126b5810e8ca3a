import { Logger } from '@nestjs/common';
import {
  DEFAULT_RETRY,
  DEFAULT_TIMEOUTS,
  type CallTimeouts,
  type ClientOptions,
} from '../../../libs/etcd-coordination/src/client/client-options.js';

// What these tests provoke is logged at length.
Logger.overrideLogger(false);

export type TestOptions = Partial<Omit<ClientOptions, 'endpoints' | 'timeouts'>> & {
  readonly timeouts?: Partial<CallTimeouts>;
};

/** The options that the module would make, without looks at the member list. */
export function clientOptions(
  endpoints: string | readonly string[],
  options: TestOptions = {},
): ClientOptions {
  return {
    connection: 'test',
    retry: DEFAULT_RETRY,
    endpointSyncInterval: 0,
    ...options,
    endpoints: typeof endpoints === 'string' ? [endpoints] : endpoints,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
  };
}
