import type { Fence } from '../context/fence.js';
import { runOwning } from '../context/ownership-context.js';

/** Runs `work` under fences that came with a call, the first of them as the innermost. */
export function runReceived<T>([fence, ...outer]: readonly Fence[], work: () => T): T {
  if (fence === undefined) return work();
  return runReceived(outer, () => runOwning('received', fence, fence, work));
}
