import { describe, expect, it } from 'vitest';
import { DEFAULT_RETRY, DEFAULT_TIMEOUTS } from '../client/client-options.js';
import { systemClock } from '../client/clock.js';
import {
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { guardedWrite } from './guarded-write.js';

const lost = () => new WriteOutcomeUnknownError('KV.txn', 'gone', { details: 'gone' });

/** A client that answers with these, one after the other. */
function clientOf(...answers: (object | Error)[]) {
  const asked: { repeatable?: boolean; timeoutMs?: number }[] = [];
  const txn = (_: unknown, settings: (typeof asked)[number]) => {
    asked.push(settings);
    const answer = answers.shift()!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const options = {
    timeouts: DEFAULT_TIMEOUTS,
    retry: { ...DEFAULT_RETRY, initialDelayMs: 1 },
  };
  return { asked, client: { clock: systemClock, txn, options } as unknown as EtcdClient };
}

describe('a guarded write', () => {
  it('is sent once if it is answered, with time left for others', async () => {
    const { client, asked } = clientOf({ succeeded: true });
    expect(await guardedWrite(client, 'it', {})).toMatchObject({
      succeeded: true,
      repeated: false,
      refusal: null,
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]!.repeatable).toBe(false);
    expect(asked[0]!.timeoutMs).toBeLessThanOrEqual(DEFAULT_TIMEOUTS.write / 3);
  });

  it('is sent again if an answer is lost, and says so', async () => {
    const { client } = clientOf(lost(), lost(), { succeeded: false });
    expect(await guardedWrite(client, 'it', {})).toMatchObject({
      succeeded: false,
      repeated: true,
    });
  });

  it('is given up after as many attempts as are allowed', async () => {
    const { client, asked } = clientOf(lost(), lost(), lost(), lost());
    const given = guardedWrite(client, 'the write of "x"', {});
    await expect(given).rejects.toThrow(/^The answer to the write of "x" was lost \(gone\)/);
    expect(asked).toHaveLength(3);
  });

  it('tells a refusal for want of space with what stands, for it may have been applied', async () => {
    const full = new EtcdNoSpaceError('KV.txn');
    const { client } = clientOf(full, { succeeded: true, responses: ['as it is'] });
    expect(await guardedWrite(client, 'it', {})).toMatchObject({
      ...{ succeeded: false, refusal: full, responses: ['as it is'] },
    });
    const unseen = guardedWrite(clientOf(full, new Error('cut')).client, 'it', {});
    await expect(unseen).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
  });

  it('rejects with a refusal, but not once it may have been applied', async () => {
    const full = new EtcdNoSpaceError('KV.txn');
    const forbidden = new EtcdPermissionDeniedError('KV.txn', 'me');
    await expect(guardedWrite(clientOf(forbidden).client, 'it', {})).rejects.toBe(forbidden);
    const after = guardedWrite(clientOf(lost(), full, full).client, 'it', {});
    await expect(after).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    // What was refused at the second time was not applied then, and can be at the third.
    const late = guardedWrite(clientOf(lost(), full, { succeeded: true }).client, 'it', {});
    expect(await late).toMatchObject({ succeeded: true });
  });
});
