import { AsyncLocalStorage } from 'node:async_hooks';
import type { Fence } from './fence.js';

/** One level of ownership that the running call chain stands in. */
interface OwnershipFrame {
  readonly kind: OwnershipKind;
  readonly owner: object;
  readonly fence: Fence;
  readonly parent: OwnershipFrame | undefined;
}

/**
 * What a call chain can stand in: a term or a lock of this process, or the ownership of another one,
 * whose fence came with the call.
 */
export type OwnershipKind = 'term' | 'lock' | 'received';

const storage = new AsyncLocalStorage<OwnershipFrame>();

/** Runs `work` so that it, and all it starts, finds `owner` and `fence` as the current ones. */
export function runOwning<T>(kind: OwnershipKind, owner: object, fence: Fence, work: () => T): T {
  return storage.run({ kind, owner, fence, parent: storage.getStore() }, work);
}

/** The innermost owner of that kind around the running call chain, or null. */
export function currentOwner(kind: OwnershipKind): object | null {
  return findOwner(kind, () => true);
}

/** The innermost owner of that kind that passes a test, or null. */
export function findOwner(kind: OwnershipKind, test: (owner: object) => boolean): object | null {
  for (let frame = storage.getStore(); frame; frame = frame.parent) {
    if (frame.kind === kind && test(frame.owner)) return frame.owner;
  }
  return null;
}

/** All owners of that kind around the running call chain, the innermost first. */
export function currentOwners(kind: OwnershipKind): readonly object[] {
  const owners: object[] = [];
  for (let frame = storage.getStore(); frame; frame = frame.parent) {
    if (frame.kind === kind) owners.push(frame.owner);
  }
  return owners;
}

/**
 * The fence of the innermost term or lock that the running call chain stands in,
 * or null outside of any. In a handler behind `FenceInterceptor` that is the one its caller sent.
 */
export function currentFence(): Fence | null {
  return storage.getStore()?.fence ?? null;
}

/**
 * The fences of everything that the running call chain stands in, the innermost first; of one
 * resource only the innermost.
 */
export function currentFences(): readonly Fence[] {
  const fences: Fence[] = [];
  for (let frame = storage.getStore(); frame; frame = frame.parent) {
    const { resource } = frame.fence;
    if (!fences.some((fence) => fence.resource === resource)) fences.push(frame.fence);
  }
  return fences;
}
