/** Ids and terms differ by server: only whether there is one is compared. */
const IDENTITY = new Set(['cluster_id', 'member_id', 'raft_term']);

/** A message in a form that can be compared and read: bytes as text, identities hidden. */
export function normalise(value: unknown, name = ''): unknown {
  if (Buffer.isBuffer(value)) return readable(value);
  if (Array.isArray(value)) return value.map((item) => normalise(item));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, field]) => [key, normalise(field, key)]),
    );
  }
  if (IDENTITY.has(name)) return value === '0' ? '0' : 'some';
  return value;
}

function readable(bytes: Buffer): string {
  const text = bytes.toString('latin1').replaceAll(/[^\x20-\x7e]/g, (c) => `<${c.charCodeAt(0)}>`);
  return text.length > 100 ? `${text.slice(0, 40)}… ${text.length} characters` : text;
}
