import { afterEach, beforeEach, expect, it } from 'vitest';
import { EtcdUnavailableError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { TestAuthority } from '../../support/certificates.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { RotatingCertificate } from '../../support/rotating-certificate.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { Standing } from './standing.js';

const lines = await availableEtcdLines();

/** What an operator does to certificates, by plan and by neglect, while an application runs. */
describeAtOnce(
  lines,
  'the certificate of etcd, under a leader that holds a lock and watches',
  (line) => {
    let server: EtcdServer;
    let certificate: RotatingCertificate;
    let proxy: TcpProxy;
    let ca: Buffer;
    const open: Standing[] = [];

    beforeEach(async () => {
      const authority = await TestAuthority.create();
      ({ ca } = authority);
      certificate = await RotatingCertificate.create(authority);
      server = await EtcdServer.start({
        ...{ line, clientTls: certificate.files, plainEndpoint: true },
      });
      proxy = await TcpProxy.start({ target: server.address });
    });
    afterEach(async () => {
      await certificate.renew();
      for (const standing of open.splice(0)) await standing.close();
      await proxy.close();
      await server.stop();
    });

    const start = async (ttlSeconds: number) => {
      const credentials = { rootCertificate: ca };
      const endpoint = `https://${proxy.address}`;
      const standing = await Standing.start('a', endpoint, { ttlSeconds, credentials });
      open.push(standing);
      return standing;
    };
    const past = async () => server.endpoint;
    const handshake = (after: number) =>
      waitFor(() => proxy.connectionsOpened > after, { what: 'another handshake' });

    it('is renewed without anybody noticing', async () => {
      const standing = await start(30);
      await standing.write(past, 3);
      const before = proxy.connectionsOpened;
      await certificate.renew();
      proxy.reset();
      await standing.write(past, 3);
      await handshake(before);
      await standing.expectAllTold();
      standing.expectHeld();
    });

    it('costs nothing if it is past its end for less than the TTL, and says so to those who call', async () => {
      const standing = await start(30);
      await certificate.renew('expired');
      const before = proxy.connectionsOpened;
      proxy.reset();
      await handshake(before);
      const error = await standing.instance.client.etcd
        .get('k')
        .exec()
        .catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(EtcdUnavailableError);
      expect(String(error)).toMatch(/certificate has expired/);
      await standing.write(past, 3);
      standing.expectHeld();
      await certificate.renew();
      await standing.expectAllTold();
      standing.expectHeld();
    });

    it('costs the lease if it is past its end for longer, and all comes back by itself', async () => {
      const standing = await start(2);
      await certificate.renew('expired');
      proxy.reset();
      await waitFor(() => standing.lease.signal.aborted, { what: 'the loss' });
      expect(standing.term.isValid()).toBe(false);
      expect(standing.lock.isValid()).toBe(false);
      await standing.write(past, 3);
      await certificate.renew();
      const { instance } = standing;
      const term = await waitFor(() => instance.elections.term('e'), { what: 'another term' });
      expect(term.epoch > standing.term.epoch).toBe(true);
      const lock = await instance.locks.acquire('l');
      expect(lock.token > standing.lock.token).toBe(true);
      await lock.release();
      await standing.expectAllTold();
    });
  },
);
