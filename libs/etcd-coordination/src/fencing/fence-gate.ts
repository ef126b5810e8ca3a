import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { Fence } from '../context/fence.js';
import { currentFences } from '../context/ownership-context.js';
import { Gate, GateKind } from '../nest/gate.js';
import { FenceMismatchError, FenceRequiredError, refusalPayload } from './fence.errors.js';

/** Where fences are observed: a `FenceLedger`. */
export interface ObservedFences {
  observe(fence: Fence): Promise<void>;
}

/**
 * Decides for every call of a method marked `@RequireFence` whether it runs. There is one for each
 * connection of an application; Nest puts it on the object.
 */
export class FenceGate extends Gate {
  constructor(private readonly ledger: ObservedFences) {
    super();
  }

  /**
   * The fence of the resource that the running call chain stands in, once the ledger has taken it.
   *
   * @param method the method that demands it, for the error
   */
  async demand(resource: string, method: string): Promise<Fence> {
    const fences = currentFences();
    if (fences.length === 0) throw new FenceRequiredError(resource, method);
    const fence = fences.find((each) => each.resource === resource);
    if (!fence) {
      const owned = fences.map((each) => each.resource);
      throw new FenceMismatchError(resource, method, owned);
    }
    await this.ledger.observe(fence);
    return fence;
  }

  /** The error of a refused call; for a message handler one that its sender gets to read. */
  refusal(error: unknown, forMessage: boolean): unknown {
    if (!(error instanceof EtcdCoordinationError)) return error;
    return this.told(error, refusalPayload(error), forMessage);
  }
}

export const FENCE_GATES = new GateKind<FenceGate>(
  'FenceGate',
  '@RequireFence',
  'tell whether a newer fence has been seen',
);
