const KEY_BYTES = 32;

/** What is wrong with a key, in words that follow "it"; null if nothing is. The key is never shown. */
export function encryptionKeyFault(key: unknown): string | null {
  if (typeof key === 'string') {
    return /^[0-9a-fA-F]{64}$/.test(key) ? null : 'is a text, but not of 64 hexadecimal digits';
  }
  if (!(key instanceof Uint8Array)) return 'is neither bytes nor a text';
  return key.length === KEY_BYTES ? null : `has ${key.length} bytes instead of ${KEY_BYTES}`;
}

/** The key as bytes. @throws {TypeError} if {@link encryptionKeyFault} finds a fault */
export function readEncryptionKey(key: Uint8Array | string): Buffer {
  const fault = encryptionKeyFault(key);
  if (fault) throw new TypeError(`The encryption key of the snapshot ${fault}.`);
  return typeof key === 'string' ? Buffer.from(key, 'hex') : Buffer.from(key);
}
