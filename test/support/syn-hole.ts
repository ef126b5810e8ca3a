import { connect, type Socket } from 'node:net';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { killNow } from './child-signals.js';
import { reapProcess } from './reaper.js';

/** A port that answers no connection attempt at all, as behind a firewall that drops packets. */
export interface SynHole {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  close(): Promise<void>;
}

const LISTENER = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    process.stdout.write(String(server.address().port));
  });
`;

/**
 * Needs neither root nor a firewall: a frozen process accepts nobody, and once its short queue is full the
 * kernel drops whoever knocks.
 */
export async function synHole(): Promise<SynHole> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'ignore'] });
  reapProcess(child);
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(data.toString());
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  while (await connects(port, fillers));
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      for (const socket of fillers) socket.destroy();
      await killNow(child);
    },
  };
}

/** Whether one more connection still finds a place in the queue. */
async function connects(port: number, kept: Socket[]): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  kept.push(socket);
  const abort = AbortSignal.timeout(300);
  try {
    await once(socket, 'connect', { signal: abort });
    return true;
  } catch {
    return false;
  }
}
