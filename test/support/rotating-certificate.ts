import { copyFile, rename } from 'node:fs/promises';
import type { Certificate, TestAuthority } from './certificates.js';

/**
 * A server's certificate at a path that stays. etcd reads it anew at each handshake, so another one counts for
 * the connections to come; those that stand are to be reset by whoever wants them to notice.
 */
export class RotatingCertificate {
  private constructor(
    private readonly authority: TestAuthority,
    private readonly shown: Certificate,
  ) {}

  static async create(authority: TestAuthority): Promise<RotatingCertificate> {
    return new RotatingCertificate(authority, await authority.issue());
  }

  /** For {@link ServerTls}. */
  get files(): { readonly certFile: string; readonly keyFile: string } {
    const { certFile, keyFile } = this.shown;
    return { certFile, keyFile };
  }

  /** Puts another one of the same authority in its place, or one whose time is over. */
  async renew(kind: 'good' | 'expired' = 'good'): Promise<void> {
    const next = await this.authority.issue({ expired: kind === 'expired' });
    // A handshake in between finds a pair that does not match, and fails as one with an operator's hands does.
    await replaceFile(next.keyFile, this.shown.keyFile);
    await replaceFile(next.certFile, this.shown.certFile);
  }
}

async function replaceFile(from: string, to: string): Promise<void> {
  const beside = `${to}.next`;
  await copyFile(from, beside);
  await rename(beside, to);
}
