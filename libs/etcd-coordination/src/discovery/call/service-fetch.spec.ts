import { expect, it, vi } from 'vitest';
import { FakeServicePool } from '../../../../../test/support/fake-service-pool.js';
import { serviceFetch } from './service-fetch.js';

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
