/** Run by lock-processes.ts, in a process of its own: workers that contend for a lock. */
import { Logger } from '@nestjs/common';
import { LibraryInstance } from './library.js';
import { takeTurns, type Turns } from './lock-turns.js';

// What is measured is not the terminal.
Logger.overrideLogger(['error', 'warn']);
const [endpoint, instanceId] = process.argv.slice(2) as [string, string];
const instance = await LibraryInstance.start(endpoint, instanceId);

process.on('message', (message: Turns | 'end') => {
  if (message === 'end') void instance.close().then(() => process.disconnect());
  else void takeTurns(instance.locks, message).then((counts) => process.send!(counts));
});
process.on('disconnect', () => process.exit());
process.send!('ready');
