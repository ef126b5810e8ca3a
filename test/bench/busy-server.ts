import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

/** So many requests a server works on at a time; the others wait. */
const AT_ONCE = 4;

/** An HTTP server that takes so many milliseconds for each request, and works on few at a time. */
export async function startBusyServer(serviceMs: number): Promise<Server> {
  const waiting: (() => void)[] = [];
  let busy = 0;
  const work = (answer: () => void) => {
    busy += 1;
    setTimeout(() => {
      answer();
      busy -= 1;
      const next = waiting.shift();
      if (next) work(next);
    }, serviceMs);
  };
  const server = createServer((_, response) => {
    const answer = () => void response.end('ok');
    if (busy < AT_ONCE) work(answer);
    else waiting.push(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
