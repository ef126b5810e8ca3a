import { DEFAULT_CONNECTION } from '../client/connection-name.js';

/**
 * One symbol for each connection, made when it is first asked for: what an object carries of
 * a connection, or what the module provides of it. Nest prints the description where it
 * cannot fill it, so it should say what to import.
 */
export class ConnectionSymbols {
  // Never dropped: names come from decorators and options, so they are few.
  private readonly symbols = new Map<string, symbol>();

  constructor(private readonly describe: (connection: string) => string) {}

  of(connection: string): symbol {
    let symbol = this.symbols.get(connection);
    if (!symbol) {
      symbol = Symbol(this.describe(connection));
      this.symbols.set(connection, symbol);
    }
    return symbol;
  }
}

/** What to import so that a connection exists. */
export function importAdvice(connection: string): string {
  const options =
    connection === DEFAULT_CONNECTION ? '...' : `{ connection: '${connection}', ... }`;
  return `EtcdCoordinationModule.forRoot(${options}) in your root module`;
}
