import type { TlsCredentials } from '../client/client-options.js';
import { InvalidOptionError } from './invalid-option.error.js';
import type { OptionReader } from './option-reader.js';

const PARTS = ['rootCertificate', 'privateKey', 'certChain'] as const;

/** Checks the TLS material: PEM in buffers, key and chain together, and only where there is TLS. */
export function readCredentials(
  options: OptionReader,
  endpoints: readonly string[],
): TlsCredentials | undefined {
  const credentials = options.group('credentials', PARTS);
  if (!credentials) return undefined;
  const read: { -readonly [P in keyof TlsCredentials]: TlsCredentials[P] } = {};
  for (const part of PARTS) {
    const value = credentials.optional(part);
    if (value === undefined) continue;
    read[part] = readPem(part, value);
  }
  refuseHalf(read);
  if (endpoints.every((endpoint) => endpoint.startsWith('https://'))) return read;
  throw new InvalidOptionError(
    'credentials',
    undefined,
    `is given, but the endpoints are without TLS, so nothing would use it: write them as "https://host:port", or leave "credentials" out.`,
  );
}

function readPem(part: string, value: unknown): Buffer {
  const option = `credentials.${part}`;
  if (!Buffer.isBuffer(value)) {
    throw new InvalidOptionError(
      option,
      undefined,
      `is not a Buffer: give the PEM file's content, such as readFileSync('${part}.pem').`,
    );
  }
  if (value.includes('-----BEGIN ')) return value;
  throw new InvalidOptionError(
    option,
    undefined,
    `holds no PEM: its content must have a line "-----BEGIN …-----". A DER file has to be converted first.`,
  );
}

function refuseHalf({ privateKey, certChain }: TlsCredentials): void {
  if ((privateKey === undefined) === (certChain === undefined)) return;
  const [missing, given] =
    certChain === undefined ? ['certChain', 'privateKey'] : ['privateKey', 'certChain'];
  throw new InvalidOptionError(
    `credentials.${missing}`,
    undefined,
    `is missing while "credentials.${given}" is given: mutual TLS needs both. Give it, or leave both out.`,
  );
}
