import { resolve } from 'node:path';
import { DEFAULT_HISTORY_LIMIT } from '../config/config-history.js';
import { encryptionKeyFault, readEncryptionKey } from '../config/snapshot/encryption-key.js';
import type { SnapshotOptions } from '../config/snapshot/snapshot-options.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { InvalidOptionError } from './invalid-option.error.js';
import type { OptionReader } from './option-reader.js';

/** More would make a history of one layer that no single list takes. */
const MAX_HISTORY_LIMIT = 10_000;

/** Checks how configurations are kept. */
export function readConfig(options: OptionReader): ResolvedCoordinationOptions['config'] {
  const config = options.group('config', ['snapshot', 'historyLimit']);
  if (!config) return { historyLimit: DEFAULT_HISTORY_LIMIT };
  const snapshot = readSnapshot(config);
  return {
    ...(snapshot && { snapshot }),
    historyLimit: config.wholeNumber('historyLimit', {
      fallback: DEFAULT_HISTORY_LIMIT,
      least: 1,
      most: MAX_HISTORY_LIMIT,
      unit: 'versions',
    }),
  };
}

function readSnapshot(config: OptionReader): SnapshotOptions | undefined {
  const snapshot = config.group('snapshot', ['file', 'encryptionKey']);
  if (!snapshot) return undefined;
  // The working directory may be another one by the time that it is written.
  const file = resolve(readFile(snapshot));
  const encryptionKey = snapshot.optional('encryptionKey');
  if (encryptionKey === undefined) return { file };
  const fault = encryptionKeyFault(encryptionKey);
  if (fault === null) {
    return { file, encryptionKey: readEncryptionKey(encryptionKey as Uint8Array | string) };
  }
  throw new InvalidOptionError(
    'config.snapshot.encryptionKey',
    undefined,
    `${fault}: give 32 bytes, or 64 hexadecimal digits, such as "openssl rand -hex 32" prints. Leave it out to write the snapshot unencrypted.`,
  );
}

function readFile(snapshot: OptionReader): string {
  const file = snapshot.text('file');
  if (!file.includes('\0')) return file;
  throw snapshot.wrong(
    'file',
    file,
    'no path holds a NUL character; give one that can be written.',
  );
}
