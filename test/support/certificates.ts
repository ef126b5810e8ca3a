import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tempFolder } from './temp-folder.js';

const run = promisify(execFile);

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface CertificateOptions {
  /** What it is good for. Default `127.0.0.1` and `localhost`. */
  readonly hosts?: readonly string[];
  /** True for one whose time is over. */
  readonly expired?: boolean;
}

/** A certificate authority for one test, made with openssl. */
export class TestAuthority {
  private constructor(
    private readonly folder: string,
    readonly caFile: string,
    readonly ca: Buffer,
  ) {}

  private count = 0;

  static async create(): Promise<TestAuthority> {
    const folder = tempFolder('tls');
    const caFile = join(folder, 'ca.pem');
    const key = join(folder, 'ca.key');
    await openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', caFile, '-days', '2', '-subj', '/CN=test authority'],
    );
    return new TestAuthority(folder, caFile, await readFile(caFile));
  }

  /** A certificate for servers and clients alike. */
  async issue(options: CertificateOptions = {}): Promise<Certificate> {
    const { hosts = ['127.0.0.1', 'localhost'], expired = false } = options;
    const stem = join(this.folder, `cert-${(this.count += 1)}`);
    const [keyFile, request, certFile] = [`${stem}.key`, `${stem}.csr`, `${stem}.pem`];
    await openssl(
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', keyFile, '-out', request, '-subj', `/CN=${hosts[0]}`],
    );
    await this.sign(request, certFile, hosts, expired);
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    return { certFile, keyFile, cert, key };
  }

  /** By `openssl ca`: `x509 -req` cannot set a past end before openssl 3.4. */
  private async sign(
    request: string,
    certFile: string,
    hosts: readonly string[],
    expired: boolean,
  ): Promise<void> {
    const names = hosts.map((host) => (/^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`));
    const config = `${certFile}.cnf`;
    await writeFile(
      config,
      `[ca]
default_ca = test
[test]
new_certs_dir = ${this.folder}
database = ${certFile}.index
rand_serial = yes
default_md = sha256
policy = any
certificate = ${this.caFile}
private_key = ${join(this.folder, 'ca.key')}
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = ${names.join(',')}
`,
    );
    await writeFile(`${certFile}.index`, '');
    await openssl(
      ...['ca', '-batch', '-notext', '-config', config, '-in', request, '-out', certFile],
      ...['-startdate', '20200101000000Z'],
      ...['-enddate', expired ? '20210101000000Z' : '20491231000000Z'],
    );
  }
}

async function openssl(...args: string[]): Promise<void> {
  await run('openssl', args);
}
