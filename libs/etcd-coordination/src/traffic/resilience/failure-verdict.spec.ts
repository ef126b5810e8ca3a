import { HttpException, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { isFailureByDefault } from './failure-verdict.js';

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
    ['an answer of gRPC about the request', error({ code: status.NOT_FOUND, details: 'none' })],
  ])('is not %s', (_, answer) => {
    expect(isFailureByDefault(answer)).toBe(false);
  });
});
