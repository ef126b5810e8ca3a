import type { InjectionToken } from '@nestjs/common';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { ConnectionSymbols, importAdvice } from '../nest/connection-symbols.js';
import type { LeaderTerm } from './leader-term.js';
import type { Leadership } from './leadership.js';
import { NotLeaderError } from './not-leader.error.js';

/** What this process knows of its elections without asking etcd. */
export interface LocalElections {
  term(election: string): LeaderTerm | null;
  leader(election: string): Leadership | null;
}

/** The class of `@nestjs/microservices` whose payload reaches the sender of a message. */
export type RpcExceptionType = new (payload: object) => Error;

/**
 * Decides for every call of a method gated by `@Leader` whether it runs. There is one for
 * each connection of an application; Nest puts it on the gated object.
 */
export class LeaderGate {
  private rpcException: RpcExceptionType | undefined;

  constructor(
    private readonly elections: LocalElections,
    private readonly instanceId: string,
  ) {}

  /** The term that stands now by the clock, or null. Makes no call. */
  term(election: string): LeaderTerm | null {
    return this.elections.term(election);
  }

  /** The error that this instance does not lead; for a message handler one that its sender gets to read. */
  refusal(election: string, forMessage: boolean): Error {
    const error = new NotLeaderError(election, this.instanceId, this.elections.leader(election));
    if (!forMessage || !this.rpcException) return error;
    return Object.assign(new this.rpcException(error.toJSON()), { cause: error });
  }

  /** From here on message handlers are refused with this class. */
  answerMessagesWith(rpcException: RpcExceptionType): void {
    this.rpcException = rpcException;
  }
}

/**
 * A decorated method was called on an object that has no gate, because Nest did not build it.
 * Nothing has run.
 */
export class CoordinationModuleMissingError extends EtcdCoordinationError {
  constructor(method: string, connection: string) {
    super(
      'COORDINATION_MODULE_MISSING',
      `${method}() is gated by @Leader, but was called on an object that Nest did not build, so nobody can tell whether it leads. ` +
        `Get the object from Nest as a provider or a controller instead of calling "new", do not detach the method from it, and import ${importAdvice(connection)}.`,
    );
  }
}

const keys = new ConnectionSymbols(
  (connection) =>
    `LeaderGate: for @Leader, @OnElected and @OnRevoked import ${importAdvice(connection)}`,
);
const tokens = new ConnectionSymbols(
  (connection) => `LeaderGate (import ${importAdvice(connection)})`,
);

/**
 * The property under which a decorated object carries its gate. Its description is written
 * for the error with which Nest says that it cannot fill it.
 */
export function leaderGateKey(connection: string): symbol {
  return keys.of(connection);
}

/** The token under which the module provides the gate of a connection. */
export function leaderGateToken(connection: string): InjectionToken<LeaderGate> {
  return tokens.of(connection);
}
