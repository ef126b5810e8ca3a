import { HttpException, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { RateLimitedError } from './limit/rate-limit.errors.js';
import { isFailureByDefault, isGivenUp } from './failure-verdict.js';

function error(some: object): Error {
  return Object.assign(new Error('no'), some);
}

describe('what is a failure of a dependency', () => {
  it.each([
    ['any error', new Error('down')],
    ['what is no error', 'down'],
    ['nothing', undefined],
    ['an HTTP answer of its own trouble', new ServiceUnavailableException()],
    ['one that it is overloaded', new HttpException('slow down', 429)],
    ['one that it waited too long', error({ statusCode: 408 })],
    ['one that it is asked too early', error({ status: 425 })],
    ['one whose status is no number', error({ statusCode: '404' })],
    ['gRPC without an answer', error({ code: status.UNAVAILABLE, details: '' })],
    [
      'what cannot be looked at',
      {
        get status() {
          throw new Error('broken');
        },
      },
    ],
  ])('is %s', (_, failure) => {
    expect(isFailureByDefault(failure)).toBe(true);
  });

  it.each([
    ['an HTTP answer about the request', new NotFoundException()],
    ['one of another library', error({ statusCode: 422 })],
    ['one of a third', error({ status: 409 })],
    ['one whose other status is no number', error({ status: 404, statusCode: 'NotFound' })],
    [
      'a call too many of one customer, who has not reached it',
      new RateLimitedError('orders', {
        ...{ allowed: false, limit: 1, remaining: 0, retryAfterMs: 1, resetMs: 1 },
        refusal: 'used-up',
      }),
    ],
    ['an answer of gRPC about the request', error({ code: status.NOT_FOUND, details: 'none' })],
  ])('is not %s', (_, answer) => {
    expect(isFailureByDefault(answer)).toBe(false);
  });

  it('is not told by a caller who has given up', () => {
    expect(isGivenUp(new DOMException('gone', 'AbortError'))).toBe(true);
    const hostile = new Proxy({}, { get: () => expect.unreachable('it was looked at') });
    for (const other of [new Error('down'), 'AbortError', null, undefined, hostile]) {
      expect(isGivenUp(other)).toBe(false);
    }
  });
});
