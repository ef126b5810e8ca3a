/** Where the last good documents are kept, so that a process can start while etcd is away. */
export interface SnapshotOptions {
  /**
   * The file, in a folder that is there and can be written. Each connection of each process
   * needs its own.
   */
  readonly file: string;
  /**
   * Encrypts the file with AES-256-GCM: 32 bytes, or 64 hexadecimal digits. Left out, the
   * documents can be read by whoever can read the file, which only its owner can.
   */
  readonly encryptionKey?: Uint8Array | string;
}
