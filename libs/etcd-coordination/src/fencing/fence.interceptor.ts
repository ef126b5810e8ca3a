import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { decodeFences } from './fence-codec.js';
import { InvalidFenceError } from './fence.errors.js';
import { messageRefusal } from './message-refusal.js';
import { receivedText } from './received-text.js';
import { runReceived } from './run-received.js';

/**
 * Runs handlers of HTTP requests and of messages under the fences that came with the call: in them,
 * and in all that they call and await, `currentFence()` is the one its caller owned innermost, writes
 * by `fenced()` are guarded by it, and further calls carry it on.
 *
 * It does not say whether a fence is stale: that is `@RequireFence`, which brings this interceptor along.
 * Alone it is for handlers that guard their writes themselves: `@UseInterceptors(FenceInterceptor)`.
 *
 * A call whose fence cannot be read is refused: HTTP 400, an `RpcException` for messages.
 */
@Injectable()
export class FenceInterceptor implements NestInterceptor {
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const text = receivedText(context);
    if (text === undefined) return next.handle();
    try {
      const fences = decodeFences(text);
      // What is subscribed to runs under the fences, and what the subscription starts as well.
      return new Observable((subscriber) =>
        runReceived(fences, () => next.handle().subscribe(subscriber)),
      );
    } catch (error) {
      if (!(error instanceof InvalidFenceError) || context.getType() !== 'rpc') throw error;
      throw await messageRefusal(error);
    }
  }
}
