import { Metadata, status } from '@grpc/grpc-js';
import { CallDeadline } from './call-deadline.js';
import type { UserCredentials } from './client-options.js';
import type { MonotonicClock } from './clock.js';
import type { Endpoint } from './endpoint.js';
import { grpcFailure } from './grpc-failure.js';
import type { UnaryDone } from './unary-call.js';

/**
 * Holds the metadata that calls carry: the token of the user, if there is one.
 * Tokens are valid at every member, so one is shared by all endpoints.
 */
export class Authenticator {
  private metadata: Metadata | undefined;
  private pending: Promise<Metadata> | undefined;

  constructor(
    private readonly user: UserCredentials | undefined,
    private readonly clock: MonotonicClock,
  ) {
    if (!user) this.metadata = new Metadata();
  }

  /** The present metadata; asks `endpoint` for a token if there is none. Concurrent callers share one question. */
  authorize(endpoint: Endpoint, timeoutMs: number): Metadata | Promise<Metadata> {
    return this.metadata ?? (this.pending ??= this.authenticate(endpoint, timeoutMs));
  }

  /** Forgets a token that was refused, unless a newer one is already there. */
  invalidate(refused: Metadata): void {
    if (this.user && this.metadata === refused) this.metadata = undefined;
  }

  /** Forgets the present token. */
  forget(): void {
    if (this.user) this.metadata = undefined;
  }

  /** Asks `endpoint` for a token. Rejects with what grpc-js rejects with. */
  async authenticate(endpoint: Endpoint, timeoutMs: number): Promise<Metadata> {
    try {
      const metadata = new Metadata();
      const token = await this.requestToken(endpoint, timeoutMs);
      if (token !== null) metadata.set('token', token);
      this.metadata = metadata;
      return metadata;
    } finally {
      this.pending = undefined;
    }
  }

  /** The token, or null from a cluster that knows no users: it wants none. */
  private requestToken(endpoint: Endpoint, timeoutMs: number): Promise<string | null> {
    const { username, password } = this.user ?? {};
    if (username === undefined || password === undefined) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const deadline = new CallDeadline(this.clock, timeoutMs);
      const request = { name: username, password };
      const done: UnaryDone<{ token: string }> = (failed, response) => {
        const error = deadline.over(failed);
        if (!error) return resolve(response!.token);
        const { code, details } = grpcFailure(error);
        if (code === status.FAILED_PRECONDITION && details.includes('not enabled')) resolve(null);
        else reject(error);
      };
      const call = endpoint.call(
        'Auth',
        'authenticate',
        request,
        new Metadata(),
        deadline.forGrpc,
        done,
      );
      deadline.watch(call);
    });
  }
}

/** The same metadata for a call or stream that is to fail where there is no leader. */
export function requiringLeader(metadata: Metadata): Metadata {
  const marked = metadata.clone();
  marked.set('hasleader', 'true');
  return marked;
}
