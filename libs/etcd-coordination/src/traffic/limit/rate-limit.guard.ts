import 'reflect-metadata';
import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { handlerUsesOf, isHandler, type LimitUse, limitUsesOf } from './limit-uses.js';
import { sayLimit } from './rate-limit-headers.js';
import { RATE_LIMIT_GATES, type RateLimitGate } from './rate-limit-gate.js';

/** What a guard stands on: on one handler, or on a controller as a whole. */
export type GuardLevel = 'handler' | 'controller';

const guards = new Map<string, Type<CanActivate>>();

/** Has Nest's router ask for the limits of a handler, or of a controller: once, however many there are. */
export function guard(target: object, connection: string, level: GuardLevel): void {
  const type = rateLimitGuard(connection, level);
  // A controller has the guards of those that it extends, too.
  const standing = (Reflect.getMetadata('__guards__', target) as unknown[] | undefined) ?? [];
  if (standing.includes(type)) return;
  if (level === 'controller') UseGuards(type)(target as NewableFunction);
  else UseGuards(type)({}, '', { value: target });
}

/** The guard of `@RateLimit` for a connection: asked by Nest's router, before pipes and the handler. */
function rateLimitGuard(connection: string, level: GuardLevel): Type<CanActivate> {
  const name = `${level} ${connection}`;
  const known = guards.get(name);
  if (known) return known;

  @Injectable()
  class RateLimitGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const handler = context.getHandler();
      // Others, such as those of GraphQL, are counted where they are called.
      if (level === 'handler' && !isHandler(handler)) return true;
      const gate = RATE_LIMIT_GATES.of(this, connection)!;
      for (const use of usesIn(context, level, connection)) ask(gate, use, context);
      return true;
    }
  }
  RATE_LIMIT_GATES.injectInto(RateLimitGuard.prototype, connection);
  guards.set(name, RateLimitGuard);
  return RateLimitGuard;
}

function usesIn(
  context: ExecutionContext,
  level: GuardLevel,
  connection: string,
): readonly LimitUse[] {
  const uses =
    level === 'handler'
      ? handlerUsesOf(context.getHandler())
      : limitUsesOf(context.getClass()).filter(({ isWhole }) => isWhole);
  return uses.filter((use) => use.connection === connection);
}

function ask(gate: RateLimitGate, use: LimitUse, context: ExecutionContext): void {
  const { rule } = use;
  if (context.getType() !== 'http') {
    const decision = gate.check(use, context.getArgs());
    if (!decision.allowed) throw gate.refusal(rule, decision, context.getType() === 'rpc');
    return;
  }
  const http = context.switchToHttp();
  const decision = gate.check(use, [], http.getRequest());
  sayLimit(http.getResponse(), rule, gate.numbers(rule), decision);
  if (!decision.allowed) throw gate.refusal(rule, decision, false);
}
