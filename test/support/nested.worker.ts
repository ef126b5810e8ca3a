/** A worker that starts a worker, for the proof that the inner one dies with the outer one. */
import { WorkerProcess } from './worker-process.js';

const inner = await WorkerProcess.start(new URL('./fixtures.worker.ts', import.meta.url));
console.log(JSON.stringify({ type: 'child', pid: inner.pid }));
setInterval(() => undefined, 1_000);
