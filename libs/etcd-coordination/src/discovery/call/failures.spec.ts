import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { serviceInstance } from '../../../../../test/support/service-instances.js';
import { CallTimeoutError } from './call.errors.js';
import { reachOf } from './failures.js';

const instance = serviceInstance('a');
const refused = { code: 'ECONNREFUSED', syscall: 'connect', port: 3000 };

function failure(some: object, message = 'failed'): Error {
  return Object.assign(new Error(message), some);
}

function fetched(some: object): Error {
  return new TypeError('fetch failed', { cause: failure(some) });
}

const badPort = new Error('bad port');

describe('how far a call that failed has come', () => {
  it.each([
    ['a connection that is refused', failure(refused)],
    ['one that fetch names as its cause', new TypeError('fetch failed', { cause: refused })],
    ['a name that nobody knows', failure({ code: 'ENOTFOUND', hostname: '10.0.0.1' })],
    ['a name that cannot be asked for now', failure({ code: 'EAI_AGAIN' })],
    ['a host that cannot be reached', failure({ code: 'EHOSTUNREACH' })],
    ['one that is not', failure({ code: 'EHOSTUNREACH', syscall: 'connect', port: 3000 })],
    ['its own address', failure({ ...refused, address: '10.0.0.1' })],
    ['a network that cannot be reached', failure({ code: 'ENETUNREACH' })],
    ['a connection that is not made in time', failure({ code: 'UND_ERR_CONNECT_TIMEOUT' })],
    ['one that the system gives up', failure({ code: 'ETIMEDOUT', syscall: 'connect' })],
    ['each address of a name', new AggregateError([failure(refused), failure(refused)])],
    [
      'gRPC without a connection',
      failure({
        code: status.UNAVAILABLE,
        details: 'No connection established. Last error: Error: connect ECONNREFUSED',
      }),
    ],
    ['a certificate of another', fetched({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })],
    ['one that has run out', fetched({ code: 'CERT_HAS_EXPIRED' })],
    ['one that nobody has signed', fetched({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })],
    ['one that a stranger has', fetched({ code: 'SELF_SIGNED_CERT_IN_CHAIN' })],
    ['one whose signer is unknown', fetched({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })],
    ['one that speaks no TLS', fetched({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' })],
    ['one that older Nodes find so', fetched({ code: 'EPROTO', syscall: 'write' })],
    ['a port that fetch refuses to call', new TypeError('fetch failed', { cause: badPort })],
  ])('is not at all: %s', (_, error) => {
    expect(reachOf(error, instance)).toBe('unreached');
  });

  it.each([
    ['a reset', new TypeError('fetch failed', { cause: failure({ code: 'ECONNRESET' }) })],
    ['a reset as it is read', failure({ code: 'ECONNRESET', syscall: 'read' })],
    ['a pipe that is broken', failure({ code: 'EPIPE' })],
    ['a socket that the other side closed', failure({ code: 'UND_ERR_SOCKET' })],
    ['an answer that is no HTTP', fetched({ code: 'HPE_INVALID_CONSTANT' })],
    ['a record of TLS that was changed', fetched({ code: 'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC' })],
    ['no head in time', failure({ code: 'UND_ERR_HEADERS_TIMEOUT' })],
    ['a route that a connection has lost', failure({ code: 'EHOSTUNREACH', syscall: 'read' })],
    ['one that it lost as it wrote', failure({ code: 'ENETUNREACH', syscall: 'write' })],
    ['a timeout of a connection that was there', failure({ code: 'ETIMEDOUT', syscall: 'read' })],
    ['AbortSignal.timeout', new DOMException('too late', 'TimeoutError')],
    ['the time of an attempt', CallTimeoutError.of(instance, 10)],
    ['gRPC too late', failure({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' })],
    [
      'gRPC whose connection broke',
      failure({ code: status.UNAVAILABLE, details: 'Connection dropped' }),
    ],
    [
      'one address refused and another reset',
      new AggregateError([failure(refused), failure({ code: 'ECONNRESET' })]),
    ],
  ])('is not known: %s', (_, error) => {
    expect(reachOf(error, instance)).toBe('unknown');
  });

  const endless = failure({});
  endless.cause = endless;

  it.each([
    ['an error of the application', new Error('out of stock')],
    ['a fault of the caller', new TypeError('x is not a function')],
    ['gRPC with an answer', failure({ code: status.NOT_FOUND, details: 'no such sku' })],
    ['a status of HTTP', failure({ code: 14 })],
    ['a database of the caller that refuses', failure({ ...refused, port: 5432 })],
    ['somebody else on the same port', failure({ ...refused, address: '10.0.0.2' })],
    [
      'the time of another call within it',
      CallTimeoutError.of(serviceInstance('a', { service: 'payments' }), 10),
    ],
    ['another name that nobody knows', failure({ code: 'ENOTFOUND', hostname: 'db' })],
    ['one of many that is an answer', new AggregateError([failure(refused), new Error('no')])],
    ['a fault of the caller that says so', new Error('bad port')],
    ['nothing', undefined],
    ['a string', 'ECONNREFUSED'],
    ['an error that is its own cause', endless],
  ])('is all the way: %s', (_, error) => {
    expect(reachOf(error, instance)).toBe('answered');
  });

  it('is all the way for an error that cannot be read', () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('mine');
        },
      },
    );
    expect(reachOf(hostile, instance)).toBe('answered');
  });
});
