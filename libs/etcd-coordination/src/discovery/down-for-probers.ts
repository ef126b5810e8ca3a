import { PROBE_SOURCE, type ServiceInstance } from '../registry/service-instance.js';

/** Whether only probers find it down: it itself, and whoever else marks it, say that it is up. */
export function isDownForProbersOnly({ state, words }: ServiceInstance): boolean {
  return (
    state === 'down' && words.every((word) => word.source === PROBE_SOURCE || word.state === 'up')
  );
}
