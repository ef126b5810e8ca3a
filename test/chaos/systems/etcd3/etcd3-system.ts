import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Etcd3, type Namespace } from 'etcd3';
import type { WorkerPart } from '../../works/work.js';
import type { Access, SystemUnderTest } from '../system.js';

/** What an application would give each call that has no end by itself; etcd3 has no deadline of its own. */
const CALL_MS = 5_000;
/** As long as the library is given to drain. */
const DRAIN_MS = 5_000;

/** A part in plain etcd3. */
export type Etcd3Part = WorkerPart<Etcd3System>;

/**
 * Plain etcd3 as a good team would have it in a service: one client, a deadline on each call as its documentation
 * advises, and its own recipes, policies and defaults otherwise.
 */
export class Etcd3System implements SystemUnderTest {
  private constructor(
    readonly client: Etcd3,
    /** Its keys are relative to the namespace, as those of its recipes. */
    readonly keys: Namespace,
    readonly ttlSeconds: number,
    readonly instanceId: string,
  ) {}

  static async start(this: void, access: Access): Promise<Etcd3System> {
    const client = new Etcd3({
      hosts: [...access.endpoints],
      defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + CALL_MS }),
      ...(access.auth && { auth: access.auth }),
      ...(access.caFile !== undefined && {
        credentials: { rootCertificate: readFileSync(access.caFile) },
      }),
    });
    const keys = client.namespace(`${access.namespace}/`);
    try {
      // As one that wants to know at its start whether etcd is there.
      await keys.get('health').exec();
    } catch (error) {
      client.close();
      throw error;
    }
    return new Etcd3System(client, keys, access.ttlSeconds, access.instanceId);
  }

  async close(stopped: Promise<unknown>): Promise<void> {
    await Promise.race([stopped, pause(DRAIN_MS, undefined, { ref: false })]);
    this.client.close();
  }
}
