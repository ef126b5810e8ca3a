import { describe, expect, it, vi } from 'vitest';
import { FakeServicePool } from '../../../../../test/support/fake-service-pool.js';
import { failureOf } from '../../../../../test/support/failure-of.js';
import { type ServiceFetchInit, serviceFetch } from './service-fetch.js';

it('lets go of the answers that it does not return', async () => {
  const cancelled = vi.fn<(url: string) => void>();
  let asked = 0;
  const fetch = async ({ url }: Request) => {
    const body = new ReadableStream({ cancel: () => cancelled(`${++asked} ${url}`) });
    return new Response(body, { status: 503 });
  };
  const pool = FakeServicePool.of('a', 'b', 'c');
  const response = await serviceFetch({ pool: () => pool }, { fetch })('service://stock/x');
  expect(response.status).toBe(503);
  expect(cancelled).toHaveBeenCalledTimes(2);
  await response.body!.cancel();
  expect(cancelled).toHaveBeenCalledTimes(3);
});

it.each([
  ['timeout', 'timeoutMs'],
  ['TimeoutMS', 'timeoutMs'],
  ['retries', 'attempts'],
])('refuses %s, which looks like a slip, and calls nobody', async (name, meant) => {
  const fetch = vi.fn<() => Promise<Response>>();
  const asked = serviceFetch({ pool: () => FakeServicePool.of('a') }, { fetch });
  const init: ServiceFetchInit = { method: 'GET', duplex: 'half', [name]: 5 };
  await expect(asked('service://stock/x', init)).rejects.toThrow(
    `The option "${name}" of "fetch" is not known: did you mean "${meant}"?`,
  );
  expect(fetch).not.toHaveBeenCalled();
});

/** Has an instance that `fetch` rejects, and tells how its attempt ended. */
async function rejectedWith(error: unknown, init?: ServiceFetchInit): Promise<string[]> {
  const pool = FakeServicePool.of('a', 'b', 'c');
  const fetch = vi.fn<() => Promise<Response>>().mockRejectedValue(error);
  const asking = serviceFetch({ pool: () => pool }, { fetch })('service://stock/x', init);
  expect(await failureOf(asking)).toBe(error);
  return pool.ends;
}

const failed = (cause: object) => new TypeError('fetch failed', { cause });

describe('what fetch rejects with', () => {
  it.each([
    ['an answer that overflows', failed({ code: 'UND_ERR_HEADERS_OVERFLOW' })],
    ['what nobody knows', failed(new Error('never heard of'))],
    ['what is no error of undici', 'nonsense'],
  ])('is a failure of the instance, and repeated only if it may be: %s', async (_, error) => {
    const ends = await rejectedWith(error);
    expect(ends.map((end) => end.slice(2))).toEqual(['failed', 'failed', 'failed']);
    expect(await rejectedWith(error, { method: 'POST', body: '{}' })).toEqual(['a failed']);
  });

  it.each([
    ['a redirect', failed(new Error('unexpected redirect'))],
    ['a scheme that it was led to', failed(new Error('URL scheme must be a HTTP(S) scheme'))],
    ['a header that cannot be', failed({ code: 'UND_ERR_INVALID_ARG' })],
  ])('is none if it is %s', async (_, error) => {
    expect(await rejectedWith(error)).toEqual(['a succeeded']);
  });

  it('says nothing of the instance if it is an abort, or if a stream was sent', async () => {
    expect(await rejectedWith(new DOMException('mine', 'AbortError'))).toEqual(['a abandoned']);
    const stream = { method: 'PUT', body: new ReadableStream(), duplex: 'half' } as const;
    expect(await rejectedWith(failed(new Error('mine')), stream)).toEqual(['a succeeded']);
  });
});
