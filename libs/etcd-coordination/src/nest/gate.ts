import 'reflect-metadata';
import { Inject, type InjectionToken } from '@nestjs/common';
import { ConnectionSymbols, importAdvice } from './connection-symbols.js';
import { CoordinationModuleMissingError } from './coordination-module-missing.error.js';
import type { RpcExceptionType } from './rpc-exception.js';

/**
 * What the calls of decorated methods ask before they run. Each connection of an application has
 * one of each kind, and Nest puts it on the decorated objects.
 */
export abstract class Gate {
  private rpcException: RpcExceptionType | undefined;

  /** From here on the senders of messages are refused with this class. */
  answerMessagesWith(rpcException: RpcExceptionType): void {
    this.rpcException = rpcException;
  }

  /** The error, or for a message handler one whose payload the sender gets to read. */
  protected told(error: Error, payload: object, forMessage: boolean): Error {
    if (!forMessage || !this.rpcException) return error;
    return Object.assign(new this.rpcException(payload), { cause: error });
  }
}

/** One kind of gate: how it gets from the module to the objects of decorated classes. */
export class GateKind<G extends Gate> {
  private readonly keys: ConnectionSymbols;
  private readonly tokens: ConnectionSymbols;
  private readonly users: symbol;

  constructor(
    /** What the gate is called. */
    name: string,
    /** Whose gate it is, such as "@Leader, @OnElected and @OnRevoked". */
    decorators: string,
    /** What nobody can do without it, such as "tell whether it leads". */
    private readonly lack: string,
  ) {
    // Written for the error with which Nest says that it cannot fill the property.
    this.keys = new ConnectionSymbols(
      (connection) => `${name}: for ${decorators} import ${importAdvice(connection)}`,
    );
    this.tokens = new ConnectionSymbols(
      (connection) => `${name} (import ${importAdvice(connection)})`,
    );
    this.users = Symbol(`nestjs-etcd-coordination:users of ${name}`);
  }

  /** The token under which the module provides the gate of a connection. */
  token(connection: string): InjectionToken<G> {
    return this.tokens.of(connection);
  }

  /**
   * Has Nest put the gate on the objects of a class: so an application without the module fails
   * at its start, and not at the first call.
   */
  injectInto(prototype: object, connection: string): void {
    const known = this.connectionsOf(prototype.constructor);
    if (!known.includes(connection)) {
      Reflect.defineMetadata(this.users, [...known, connection], prototype.constructor);
    }
    Inject(this.token(connection))(prototype, this.keys.of(connection));
  }

  /** The connections whose gates a class, or one that it extends, has asked for. */
  connectionsOf(type: object): readonly string[] {
    return (Reflect.getMetadata(this.users, type) as string[] | undefined) ?? [];
  }

  /** The gate of the object that a decorated method was called on, if it has one. */
  of(self: unknown, connection: string): G | undefined {
    return (self as Record<symbol, G | undefined> | null | undefined)?.[this.keys.of(connection)];
  }

  /** Whether an object carries the gate. */
  isOn(instance: object, connection: string): boolean {
    return this.keys.of(connection) in instance;
  }

  /** Puts the gate on an object that Nest did not build. */
  give(instance: object, connection: string, gate: G): void {
    const key = this.keys.of(connection);
    Reflect.defineProperty(instance, key, { value: gate, configurable: true });
  }

  /** The error of a call on an object that has no gate. */
  missing(decorator: string, method: string, connection: string): CoordinationModuleMissingError {
    return new CoordinationModuleMissingError(decorator, method, connection, this.lack);
  }
}
