import { reachOfFailure, type CallReach } from '../../client/call-reach.js';
import type { ServiceInstance } from '../../registry/service-instance.js';
import { CallTimeoutError } from './call.errors.js';

/**
 * How far a call has come that failed with this error, by what it or its causes say.
 *
 * @param instance which was called: that somebody else refuses a connection says nothing of it
 */
export function reachOf(error: unknown, instance?: ServiceInstance): CallReach {
  return reachOfFailure(error, instance, (one) => {
    if (!(one instanceof CallTimeoutError)) return null;
    return isOf(one, instance) ? 'unknown' : 'answered';
  });
}

/** What the function called by itself, such as another service, is no word on the instance. */
function isOf(error: CallTimeoutError, instance: ServiceInstance | undefined): boolean {
  return !instance || (error.service === instance.service && error.instanceId === instance.id);
}
