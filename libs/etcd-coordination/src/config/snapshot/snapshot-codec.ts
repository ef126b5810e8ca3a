import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { isSnapshotContent, type SnapshotContent } from './snapshot-content.js';
import type { SnapshotFault } from './snapshot.errors.js';

/**
 * A snapshot as bytes:
 *
 *     nestjs-etcd-coordination snapshot 1 <SHA-256 of all that follows this line>
 *     {"writer":"…","writtenAt":"…","encryption":null}
 *     <the content as JSON, encrypted or not>
 */
const VERSION = '1';
const MAGIC = 'nestjs-etcd-coordination snapshot ';
const FIRST_LINE = /^nestjs-etcd-coordination snapshot (\d+) ([0-9a-f]{64})$/;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** How far into a file its header reaches at most. */
export const MAX_HEADER_BYTES = 1024;

/** Who wrote a snapshot, and when. Readable without the key. */
export interface SnapshotHeader {
  readonly writer: string;
  readonly writtenAt: string;
}

interface WrittenHeader extends SnapshotHeader {
  readonly encryption: { readonly nonce: string; readonly tag: string } | null;
}

/** Why bytes are no snapshot that can be used. Never leaves the folder. */
export class UndecodableSnapshot extends Error {
  constructor(
    readonly reason: SnapshotFault,
    /** In words that follow "it". */
    readonly detail: string,
  ) {
    super(detail);
  }
}

export function encodeSnapshot(
  content: SnapshotContent,
  { writer, writtenAt }: SnapshotHeader,
  key: Buffer | null,
): Buffer {
  const plain = Buffer.from(JSON.stringify(content));
  const { encryption, body } = key
    ? encrypt(plain, key, { writer, writtenAt })
    : { encryption: null, body: plain };
  const header: WrittenHeader = { writer, writtenAt, encryption };
  const rest = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]);
  return Buffer.concat([Buffer.from(`${MAGIC}${VERSION} ${sha256(rest)}\n`), rest]);
}

/** @throws {UndecodableSnapshot} */
export function decodeSnapshot(
  data: Buffer,
  key: Buffer | null,
): { header: SnapshotHeader; content: SnapshotContent } {
  if (isForeign(data)) throw foreign();
  const { digest, rest } = splitFirstLine(data);
  if (sha256(rest) !== digest) throw corrupt();
  const header = readHeader(rest);
  if (!header) throw corrupt();
  const body = rest.subarray(rest.indexOf('\n') + 1);
  const plain = decrypt(body, header, key);
  const content = parse(plain.toString());
  if (!isSnapshotContent(content)) throw corrupt();
  return { header: { writer: header.writer, writtenAt: header.writtenAt }, content };
}

/**
 * Whether what begins so was never a snapshot, but somebody's file that was named by mistake. What
 * is empty, or a snapshot that was cut off in its first line, is none.
 */
export function isForeign(beginning: Buffer): boolean {
  return !MAGIC.startsWith(beginning.toString('latin1', 0, MAGIC.length));
}

/** Of a file that must not be written over. */
export function foreign(): UndecodableSnapshot {
  return new UndecodableSnapshot(
    'foreign',
    'is no snapshot, but a file of something else, and is left as it is; give another path, or delete it',
  );
}

/** Who wrote the file that begins so; null if it does not begin as a snapshot does. */
export function peekWriter(beginning: Buffer): string | null {
  const end = beginning.indexOf('\n');
  if (end < 0 || !FIRST_LINE.test(beginning.toString('latin1', 0, end))) return null;
  return readHeader(beginning.subarray(end + 1))?.writer ?? null;
}

function splitFirstLine(data: Buffer): { digest: string; rest: Buffer } {
  const end = data.indexOf('\n');
  const [, version, digest] = FIRST_LINE.exec(data.toString('latin1', 0, Math.max(end, 0))) ?? [];
  if (version === undefined || digest === undefined) throw corrupt();
  if (version !== VERSION) {
    throw new UndecodableSnapshot(
      'version',
      `is of the format version ${version}, which this version of the library does not know; it is written anew`,
    );
  }
  return { digest, rest: data.subarray(end + 1) };
}

function readHeader(rest: Buffer): WrittenHeader | null {
  const end = rest.indexOf('\n');
  if (end < 0 || end > MAX_HEADER_BYTES) return null;
  const header = parse(rest.toString('utf8', 0, end)) as Partial<WrittenHeader> | null;
  const { writer, writtenAt, encryption } = header ?? {};
  if (typeof writer !== 'string' || typeof writtenAt !== 'string') return null;
  if (Number.isNaN(Date.parse(writtenAt)) || typeof encryption !== 'object') return null;
  return { writer, writtenAt, encryption };
}

/** Encrypted, with the header bound to it. A nonce that is used twice would give the key away. */
function encrypt(plain: Buffer, key: Buffer, header: SnapshotHeader) {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundText(header));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  const tag = cipher.getAuthTag();
  return {
    body,
    encryption: { nonce: nonce.toString('base64'), tag: tag.toString('base64') },
  };
}

function decrypt(body: Buffer, header: WrittenHeader, key: Buffer | null): Buffer {
  const { encryption } = header;
  if (!encryption && !key) return body;
  // Taking it all the same would let anybody who can write the folder choose the values.
  if (!encryption) {
    throw new UndecodableSnapshot(
      'not-encrypted',
      'is not encrypted, although a key is given; it is written anew',
    );
  }
  if (!key) {
    throw new UndecodableSnapshot(
      'encrypted',
      'is encrypted, and no key is given; set the option "config.snapshot.encryptionKey"',
    );
  }
  try {
    const nonce = Buffer.from(encryption.nonce, 'base64');
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(boundText(header));
    decipher.setAuthTag(Buffer.from(encryption.tag, 'base64'));
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    throw new UndecodableSnapshot(
      'wrong-key',
      'is encrypted with another key, or was tampered with; it is written anew',
    );
  }
}

function boundText({ writer, writtenAt }: SnapshotHeader): Buffer {
  return Buffer.from(`${VERSION}\n${writer}\n${writtenAt}`);
}

function corrupt(): UndecodableSnapshot {
  return new UndecodableSnapshot(
    'corrupt',
    'is truncated or was changed, as its checksum tells; it is written anew',
  );
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
