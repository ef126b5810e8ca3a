import { LONE_SURROGATE } from '../client/keys.js';
import type { Fence } from '../context/fence.js';
import { InvalidFenceError } from './fence.errors.js';

/** The HTTP header, or the entry of a message's metadata, that carries fences. */
export const FENCE_HEADER = 'etcd-fence';

/** The longest text of fences, in characters: half of what Node takes for all headers together. */
export const MAX_FENCE_TEXT = 8192;
/** How many fences one call may carry. */
const MAX_FENCES = 16;
/** Revisions of etcd are signed 64-bit numbers. */
const MAX_REVISION = 2n ** 63n - 1n;
/** A token is a revision, or one with 20 bits of grants behind it. */
export const MAX_TOKEN = ((MAX_REVISION + 1n) << 20n) - 1n;

const NUMBER = /^[1-9][0-9]{0,24}$/;
// Control characters can stand in no name and no key: those are escaped there.
const RESOURCE = /^[a-z]+\/[^\p{Cc}]+$/u;
const KEY = /^[^\p{Cc}]+\/[^\p{Cc}]+$/u;

/**
 * A fence as a text of visible ASCII characters, for a header or a column of another system:
 * `<token>;<revision>;<resource>;<key>`, the latter two percent-encoded.
 *
 * @throws {InvalidFenceError} if it is none, or too long to be sent (8192 characters)
 */
export function encodeFence(fence: Fence): string {
  const { token, revision, resource, key } = fence;
  const fault = numbersFault(token, revision) ?? namesFault(resource, key);
  if (fault !== null) throw new InvalidFenceError(fault);
  const text = `${token};${revision};${encodePart(resource)};${encodePart(key)}`;
  if (text.length > MAX_FENCE_TEXT) throw tooLong(text.length);
  return text;
}

/** The fence that {@link encodeFence} was given, or null if it cannot have made this text. Never throws. */
export function decodeFence(text: string): Fence | null {
  if (typeof text !== 'string' || text.length > MAX_FENCE_TEXT) return null;
  const [tokenPart = '', revisionPart = '', resourcePart = '', keyPart = '', ...more] =
    text.split(';');
  if (more.length > 0 || !NUMBER.test(tokenPart) || !NUMBER.test(revisionPart)) return null;
  const token = BigInt(tokenPart);
  const revision = BigInt(revisionPart);
  const resource = decodePart(resourcePart);
  const key = decodePart(keyPart);
  if (resource === null || key === null) return null;
  if (numbersFault(token, revision) !== null || namesFault(resource, key) !== null) return null;
  return { resource, key, revision, token };
}

/**
 * Several fences as one text, parted by `, ` as HTTP joins headers of one name.
 *
 * @throws {InvalidFenceError} as {@link encodeFence}, or if there are more than 16
 */
export function encodeFences(fences: readonly Fence[]): string {
  if (fences.length > MAX_FENCES) {
    throw new InvalidFenceError(
      `${fences.length} fences are more than the ${MAX_FENCES} of a call`,
    );
  }
  const text = fences.map(encodeFence).join(', ');
  if (text.length > MAX_FENCE_TEXT) throw tooLong(text.length);
  return text;
}

/**
 * The fences in such a text, at least one and each of another resource.
 *
 * @throws {InvalidFenceError} if it is none
 */
export function decodeFences(text: string): readonly Fence[] {
  if (text.length > MAX_FENCE_TEXT) throw tooLong(text.length);
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > MAX_FENCES) {
    throw new InvalidFenceError(`${parts.length} fences are more than the ${MAX_FENCES} of a call`);
  }
  const fences = new Map<string, Fence>();
  for (const part of parts) {
    const fence = decodeFence(part);
    if (fence === null) {
      throw new InvalidFenceError(`${JSON.stringify(part.slice(0, 60))} is no fence`);
    }
    const { token } = fences.get(fence.resource) ?? fence;
    if (token !== fence.token) {
      throw new InvalidFenceError(`it names "${fence.resource}" twice, with different tokens`);
    }
    fences.set(fence.resource, fence);
  }
  return [...fences.values()];
}

/** What makes these no numbers of a fence, or null if nothing does. */
export function numbersFault(token: unknown, revision: unknown): string | null {
  if (typeof token !== 'bigint' || typeof revision !== 'bigint') {
    return 'its token and its revision are not both a bigint';
  }
  if (revision < 1n || revision > MAX_REVISION) return `${revision} is no revision of etcd`;
  if (token < revision || token > MAX_TOKEN) {
    return `the token ${token} cannot have been granted at the revision ${revision}`;
  }
  return null;
}

function namesFault(resource: unknown, key: unknown): string | null {
  if (typeof resource !== 'string' || !RESOURCE.test(resource) || LONE_SURROGATE.test(resource)) {
    return 'its resource is not such as "lock/invoices" or "election/reconciler"';
  }
  if (typeof key !== 'string' || !KEY.test(key) || LONE_SURROGATE.test(key)) {
    return 'its key is none of this library';
  }
  return null;
}

/** Leaves readable what needs no escape in a header: `/` and `:` among it. */
function encodePart(part: string): string {
  return encodeURIComponent(part).replace(/%(?:2F|3A|40)/g, decodeURIComponent);
}

function decodePart(part: string): string | null {
  try {
    const decoded = decodeURIComponent(part);
    // Otherwise many texts would be the same fence, and some of them hold what no header may.
    return encodePart(decoded) === part ? decoded : null;
  } catch {
    return null;
  }
}

function tooLong(length: number): InvalidFenceError {
  return new InvalidFenceError(`${length} characters are more than the ${MAX_FENCE_TEXT} allowed`);
}
