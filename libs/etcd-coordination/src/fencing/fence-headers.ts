import { type Fence, localGrantOf } from '../context/fence.js';
import { currentFences } from '../context/ownership-context.js';
import { StaleFenceError } from '../context/stale-fence.error.js';
import { encodeFences, FENCE_HEADER } from './fence-codec.js';

/**
 * The header that proves to the receiver of a call what the running call chain owns: the locks and
 * terms that it stands in, and what it was called under by others. Empty outside of any, so that it
 * can be spread into every call.
 *
 * For `fetch`, axios and the like; for the message of a broker, `{ headers: fenceHeaders() }` of a Kafka
 * message or of the options of a RabbitMQ one, and `userProperties` of MQTT 5.
 *
 * @param fences left out, those of the running call chain, the innermost first
 * @throws {StaleFenceError} if one is of a lock of this process that was lost or released: nothing may
 *   be done any more that would need it
 * @throws {InvalidFenceError} if they are too many or too long for a header
 *
 * @example
 * ```ts
 * await fetch(`${stock}/reservations`, { method: 'POST', headers: { ...fenceHeaders() }, body });
 * ```
 */
export function fenceHeaders(fences?: Fence | readonly Fence[]): Record<string, string> {
  const carried = fences === undefined ? currentFences() : [fences].flat();
  for (const fence of carried) {
    if (localGrantOf(fence)?.isValid() === false) {
      throw new StaleFenceError(fence.resource, fence.token);
    }
  }
  return carried.length === 0 ? {} : { [FENCE_HEADER]: encodeFences(carried) };
}

/** What headers can be set on: `Headers` of fetch, `Metadata` of gRPC, `MsgHdrs` of NATS. */
export interface FenceCarrier {
  set(name: string, value: string): unknown;
}

/**
 * Sets {@link fenceHeaders} on what has a method for it, and gives that back.
 *
 * @throws as {@link fenceHeaders}
 *
 * @example
 * ```ts
 * this.stock.reserve(request, withFence(new Metadata()));
 * ```
 */
export function withFence<C extends FenceCarrier>(
  carrier: C,
  fences?: Fence | readonly Fence[],
): C {
  for (const [name, value] of Object.entries(fenceHeaders(fences))) carrier.set(name, value);
  return carrier;
}
