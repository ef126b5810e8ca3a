import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import {
  EtcdConnectError,
  type ConnectFailure,
} from '../../../libs/etcd-coordination/src/client/etcd-connect.error.js';
import { TestAuthority, type CertificateOptions } from '../../support/certificates.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer, type ServerTls } from '../../support/etcd-server.js';
import { startSession } from '../session/sessions.js';
import { connect } from './connecting.js';
import { clientOptions, type TestOptions } from './options.js';

const lines = await availableEtcdLines();

describe.runIf(lines.length > 0)('TLS', () => {
  const servers: EtcdServer[] = [];
  let authority: TestAuthority;
  let plain: EtcdServer;
  let secure: EtcdServer;
  let expired: EtcdServer;
  let elsewhere: EtcdServer;
  let mutual: EtcdServer;

  beforeAll(async () => {
    authority = await TestAuthority.create();
    const own = await show();
    [plain, secure, expired, elsewhere, mutual] = await Promise.all([
      start(),
      start(own),
      start(await show({ expired: true })),
      start(await show({ hosts: ['etcd.example'] })),
      start({ ...own, clientCaFile: authority.caFile }),
    ]);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  it('works with the right authority, for calls and streams', async () => {
    const client = await connect(secure.endpoint, { credentials: trusting() });
    await client.etcd.put('tls').value('v');
    const { lease } = await startSession(client, 5);
    expect(lease.isValid()).toBe(true);
  });

  it('works in both directions', async () => {
    const { cert, key } = await authority.issue();
    const credentials = { ...trusting(), privateKey: key, certChain: cert };
    const { etcd } = await connect(mutual.endpoint, { credentials });
    await etcd.put('tls').value('v');
  });

  it('names an unknown authority', async () => {
    const other = await TestAuthority.create();
    await expectFailure(
      secure.endpoint,
      { credentials: { rootCertificate: other.ca } },
      { reason: 'tls', detail: /certificate|unable to verify|self.signed/i },
    );
    await expectFailure(secure.endpoint, {}, { reason: 'tls' });
  });

  it('names an expired certificate', async () => {
    const options = { credentials: trusting() };
    await expectFailure(expired.endpoint, options, { reason: 'tls', detail: /expired/ });
  });

  it('names a certificate for another host', async () => {
    const options = { credentials: trusting() };
    await expectFailure(elsewhere.endpoint, options, {
      reason: 'tls',
      detail: /altnames|does not match|etcd\.example/,
    });
  });

  it('names a client certificate that is wanted', async () => {
    await expectFailure(mutual.endpoint, { credentials: trusting() }, { reason: 'tls' });
  });

  it('names https to a plain port', async () => {
    const endpoint = plain.endpoint.replace('http:', 'https:');
    await expectFailure(endpoint, { credentials: trusting() }, { reason: 'tls' });
  });

  it('names http to a TLS port, and what to write', async () => {
    const endpoint = secure.endpoint.replace('https:', 'http:');
    const error = await expectFailure(endpoint, {}, { reason: 'not-http2' });
    expect(error.message).toContain('write https');
  });

  it('names each of several endpoints with its own reason', async () => {
    const options = { credentials: trusting() };
    const endpoints = [expired.endpoint, elsewhere.endpoint];
    const error = await failure(endpoints, options);
    expect(error.failures.map(({ endpoint }) => endpoint).sort()).toEqual([...endpoints].sort());
    expect(error.message).toContain('none of its 2 endpoints');
    for (const endpoint of endpoints) expect(error.message).toContain(endpoint);
  });

  const trusting = () => ({ rootCertificate: authority.ca });

  async function show(options?: CertificateOptions): Promise<ServerTls> {
    const { certFile, keyFile } = await authority.issue(options);
    return { certFile, keyFile };
  }

  async function start(clientTls?: ServerTls): Promise<EtcdServer> {
    const server = await EtcdServer.start(clientTls ? { clientTls } : {});
    servers.push(server);
    return server;
  }

  async function expectFailure(
    endpoint: string,
    options: TestOptions,
    { reason, detail = /./ }: { reason: ConnectFailure['reason']; detail?: RegExp },
  ): Promise<EtcdConnectError> {
    const error = await failure([endpoint], options);
    expect(error.failures).toMatchObject([{ endpoint, reason }]);
    expect(error.failures[0]!.detail).toMatch(detail);
    expect(error.message).toContain(endpoint);
    return error;
  }

  async function failure(endpoints: string[], options: TestOptions): Promise<EtcdConnectError> {
    const connecting = EtcdClient.connect(clientOptions(endpoints, options));
    const error = await connecting.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EtcdConnectError);
    return error as EtcdConnectError;
  }
});
