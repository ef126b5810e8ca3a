/** The class of `@nestjs/microservices` whose payload reaches the sender of a message; an optional peer. */
export type RpcExceptionType = new (payload: object) => Error;
