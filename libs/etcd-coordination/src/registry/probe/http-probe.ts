import { request as httpRequest, type ClientRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { attemptProbe, type ProbeAttempt } from './probe-attempt.js';
import type { Probe, ProbeAim } from './probe.js';

/** Passes if the path answers 2xx. Follows no redirect, and reads nothing of the body. */
export const httpProbe: Probe = (aim, signal) =>
  attemptProbe(signal, (attempt) => {
    const request = send(aim);
    request.on('error', attempt.broke);
    request.once('response', (response) => {
      // The rest of the answer is cut off.
      response.on('error', () => undefined);
      judge(response.statusCode ?? 0, attempt);
    });
    request.once('close', () => attempt.failed('the connection was closed without an answer'));
    return () => request.destroy();
  });

function send({ host, port, spec, secure }: ProbeAim): ClientRequest {
  const options: RequestOptions = {
    host,
    port,
    path: spec.target,
    // A connection of its own, which nobody keeps.
    agent: false,
    headers: { 'user-agent': 'nestjs-etcd-coordination-probe', accept: '*/*' },
  };
  const request = secure
    ? httpsRequest({ ...options, rejectUnauthorized: false })
    : httpRequest(options);
  return request.end();
}

function judge(status: number, { passed, failed }: ProbeAttempt): void {
  if (status >= 200 && status < 300) return passed();
  const redirects = status >= 300 && status < 400;
  failed(`answered ${status}${redirects ? ', and redirects are not followed' : ''}`);
}
