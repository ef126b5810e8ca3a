import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { Surroundings } from './terminal.js';
import { RefusedError, UsageError } from './usage.js';

/**
 * The document that an argument stands for: itself, the file in `@file`, or stdin for `-`. `@@…` is
 * a text that begins with one `@`.
 */
export async function readDocument(
  argument: string,
  stdin: Surroundings['stdin'],
): Promise<Buffer> {
  if (argument === '-') {
    if (stdin.isTTY) {
      throw new UsageError('"-" reads the document from stdin, and nothing is piped into it.');
    }
    const document = await buffer(stdin);
    if (document.length > 0) return document;
    throw new RefusedError(
      'NO_DOCUMENT',
      '"-" reads the document from stdin, and nothing came; the command before the pipe may have failed.',
    );
  }
  if (argument.startsWith('@@')) return Buffer.from(argument.slice(1));
  if (!argument.startsWith('@')) return Buffer.from(argument);
  const file = argument.slice(1);
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is none' : (code ?? String(error));
    throw new RefusedError('FILE_UNREADABLE', `The file "${file}" cannot be read: ${why}.`);
  }
}
