/** A process that calls a service all the time, as it is told to on stdin. */
import { createInterface } from 'node:readline';
import { Calling, type CallerOrder } from './calling.js';
import { startCallerApp } from './caller-app.js';

const [endpoints, id] = process.argv.slice(2) as [string, string];
const { discovery } = await startCallerApp(endpoints.split(','), id, ['warn', 'error', 'fatal']);
const calling = new Calling(discovery, (message) => console.log(JSON.stringify(message)));
createInterface({ input: process.stdin }).on('line', (line) => {
  calling.obey(JSON.parse(line) as CallerOrder);
});
