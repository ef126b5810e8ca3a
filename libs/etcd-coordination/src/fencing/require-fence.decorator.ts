import 'reflect-metadata';
import { UseInterceptors } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { currentFence, runOwning } from '../context/ownership-context.js';
import {
  type AnyMethod,
  assertKnownOptions,
  assertMethod,
  type DecoratedPlace,
  shownPlace,
  wrapMethod,
} from '../nest/decorated-method.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { compileKey, type KeySource } from '../nest/key-template.js';
import { isMessageHandler } from '../nest/message-handler.js';
import type { MethodDecoratorFor } from '../nest/method-decorator.js';
import { FENCE_GATES } from './fence-gate.js';
import { FenceInterceptor } from './fence.interceptor.js';
import { type Permit, waitingFor } from './once-allowed.js';

/** How `@RequireFence` asks. */
export interface RequireFenceOptions {
  /** The connection whose etcd keeps the newest fence seen. Default `default`. */
  readonly connection?: string;
}

/** A method that can be made to wait before it runs. */
export type FencedMethod = (
  // oxlint-disable-next-line typescript/no-explicit-any
  ...args: any[]
) => void | Promise<unknown> | Observable<unknown> | AsyncIterable<unknown>;

/** Whose fences there are: of locks and of terms. */
const OWNED = /^(?:lock|election)\/./;

/**
 * The method runs only for a caller that owns the resource, and that nobody is known to have followed
 * in it: the call must carry the resource's fence, and none newer may have been seen by any instance.
 * So a holder that was frozen while its lock went on to another does no harm when it wakes up.
 *
 * On handlers of HTTP requests and of messages the fence is the one that came with the call (the
 * decorator brings `FenceInterceptor` along); on providers below them it is that, or one of this
 * process's own locks and terms. Inside, `currentFence()` is this fence. Each call asks etcd once,
 * see `FenceLedger.observe`.
 *
 * The method is refused, before anything of it has run: without a fence with `FenceRequiredError`
 * (HTTP 428), with one that cannot be read with `InvalidFenceError` (400), with that of another resource
 * with `FenceMismatchError` (409), with one older than the newest seen with `StaleFenceError` (409), and
 * with `FenceUncheckedError` (503) while etcd cannot be asked. A message handler is refused with an
 * `RpcException` of the error's code and message.
 *
 * It is no protection from those who forge a fence: authenticate your callers.
 *
 * @param resource the resource of the fence: `lock/` and the name of the lock, or `election/` and that of the
 *   election. A template names arguments as that of `@DistributedLock` does: `'lock/sku/{0.sku}'`,
 *   `'lock/order/{orderId}'`; or a function of the arguments
 * @throws {InvalidDecoratorUseError} while the class is defined, if the resource, an option or the place is wrong
 *
 * @example
 * ```ts
 * @Post('reservations')
 * @RequireFence('lock/sku/{0.sku}')
 * async reserve(@Body() order: Order): Promise<Reservation> { … }
 * ```
 */
export function RequireFence(
  resource: KeySource,
  options: RequireFenceOptions = {},
): MethodDecoratorFor<FencedMethod> {
  return (target, name, descriptor) => {
    const place = { decorator: 'RequireFence', target, name };
    assertMethod(place, descriptor);
    assertKnownOptions(place, options, ['connection']);
    assertResource(place, resource);
    const method = descriptor.value as AnyMethod;
    const resourceOf = compileKey(resource, method, place);
    const waiting = waitingFor(method, target, name);
    const { connection = DEFAULT_CONNECTION } = options;
    FENCE_GATES.injectInto(target, connection);

    wrapMethod(descriptor as PropertyDescriptor, (self, args, wrapper) => {
      const ask = async (): Promise<Permit> => {
        const shown = shownPlace(place);
        const gate = FENCE_GATES.of(self, connection);
        if (!gate) throw FENCE_GATES.missing(place.decorator, shown, connection);
        try {
          const fence = await gate.demand(resourceOf(args), shown);
          return (work) => {
            if (currentFence() === fence) return work();
            return runOwning('received', fence, fence, work);
          };
        } catch (error) {
          // Asked at the call: the decorator that makes a message handler may stand above.
          throw gate.refusal(error, isMessageHandler(wrapper));
        }
      };
      return waiting(ask, () => Reflect.apply(method, self, args));
    });
    // Read by Nest on handlers only.
    UseInterceptors(FenceInterceptor)(target, name, descriptor);
  };
}

/** The slip of naming the lock itself would refuse every call. */
function assertResource(place: DecoratedPlace, resource: unknown): void {
  if (typeof resource === 'function') return;
  if (typeof resource === 'string' && OWNED.test(resource)) return;
  throw new InvalidDecoratorUseError(
    place.decorator,
    shownPlace(place),
    'its resource is not such as "lock/sku/{0.sku}" or "election/reconciler", nor a function that gives one',
  );
}
