import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  type INestApplication,
  Injectable,
  Param,
  ParseIntPipe,
  Scope,
  UseGuards,
} from '@nestjs/common';
import { ClientProxyFactory, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../../../test/support/free-port.js';
import { LimitStage } from '../../../../../test/support/limit-stage.js';
import { RateLimit } from './rate-limit.decorator.js';
import { RateLimitedError } from './rate-limit.errors.js';
import { RATE_LIMIT_GATES } from './rate-limit-gate.js';
import type { RateLimitOptions } from './rate-limit-rule.js';

const TWO: RateLimitOptions = { limit: 2, windowMs: 60_000, mode: 'instance' };
const LIMITS = {
  two: TWO,
  'by "user"': { ...TWO, key: 'user' },
  header: { ...TWO, key: 'header:X-Tenant' },
  ip: { ...TWO, key: 'ip' },
  three: { ...TWO, limit: 3, windowMs: 500 },
} as const;

let stage: LimitStage;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  stage = new LimitStage(LIMITS);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

@Injectable()
class Authentication implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ user: unknown; headers: Record<string, string> }>();
    request.user = { sub: request.headers['x-user'] };
    return true;
  }
}

function controllerIn(scope: Scope) {
  @Controller({ path: 'orders', scope })
  class OrdersController {
    @Get('below/:id')
    @RateLimit('two')
    @HttpCode(207)
    below(@Param('id', ParseIntPipe) id: number) {
      return { id };
    }
    @RateLimit('two')
    @Get('above')
    above() {
      return 'above';
    }
    @Get('user')
    @RateLimit('by "user"')
    @UseGuards(Authentication)
    user() {
      return 'user';
    }
    @Get('header')
    @RateLimit('header')
    header() {
      return 'header';
    }
    @Get('cost')
    @RateLimit('ip', { cost: (request: { query: { n: string } }) => Number(request.query.n) })
    cost() {
      return 'cost';
    }
    @Get('both')
    @RateLimit('three')
    @RateLimit('two')
    both() {
      return 'both';
    }
    @Get('key')
    @RateLimit('ip', {
      key: () => {
        throw new Error('no key');
      },
    })
    key() {
      return 'key';
    }
  }
  return OrdersController;
}

@Controller('whole')
@RateLimit('two')
class WholeController {
  @Get('a')
  a() {
    return 'a';
  }
  @Get('b')
  b() {
    return this.a();
  }
}

async function serve(...controllers: (new () => object)[]): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [stage.module()],
    controllers,
  }).compile();
  const app = module.createNestApplication({ logger: false });
  closers.push(() => app.close());
  await app.listen(0, '127.0.0.1');
  return app;
}

describe.each([Scope.DEFAULT, Scope.REQUEST])('@RateLimit on HTTP handlers, scope %s', (scope) => {
  let url: string;
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/orders/${path}`, { headers });
  beforeEach(async () => {
    const app = await serve(controllerIn(scope));
    url = await app.getUrl();
  });

  it('counts each call once, and tells of the limit', async () => {
    const first = await get('below/7');
    expect([first.status, await first.json()]).toEqual([207, { id: 7 }]);
    expect(first.headers.get('ratelimit-policy')).toBe('"two";q=2;w=60');
    expect(first.headers.get('ratelimit')).toBe('"two";r=1;t=30');
    expect(first.headers.get('retry-after')).toBeNull();

    expect((await get('above')).headers.get('ratelimit')).toBe('"two";r=0;t=60');
    const refused = await get('below/7');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit')).toBe('"two";r=0;t=60');
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(await refused.json()).toMatchObject({ statusCode: 429, message: /"two"/ });

    stage.clock.freeze(30_000);
    expect((await get('above')).status).toBe(200);
    expect((await get('above')).status).toBe(429);
  });

  it('counts before pipes', async () => {
    expect((await get('below/x')).status).toBe(400);
    expect((await get('below/x')).status).toBe(400);
    expect((await get('below/x')).status).toBe(429);
  });

  it('counts by whom a guard has found out, by a header, and all without one together', async () => {
    const asks = async (path: string, name: string, value: string) =>
      (await get(path, value === '' ? {} : { [name]: value })).status;
    for (const path of ['user', 'header']) {
      const name = path === 'user' ? 'x-user' : 'x-tenant';
      for (const value of ['a', 'a', 'b', '', 'b', '']) {
        expect(await asks(path, name, value)).toBe(200);
      }
      for (const value of ['a', 'b', '']) expect(await asks(path, name, value)).toBe(429);
      expect(await asks(path, name, 'c')).toBe(200);
    }
    expect((await get('user')).headers.get('ratelimit')).toBe('"by \\"user\\"";r=0;t=60');
  });

  it('takes a cost of the request, and counts nothing that it cannot', async () => {
    expect((await get('cost?n=5')).status).toBe(500);
    expect((await get('key')).status).toBe(500);
    expect((await get('cost?n=2')).status).toBe(200);
    expect((await get('cost?n=1')).status).toBe(429);
  });

  it('asks several limits in the order in which they are written', async () => {
    const first = await get('both');
    expect(first.headers.get('ratelimit-policy')).toBe('"three";q=6;w=1, "two";q=2;w=60');
    expect(first.headers.get('ratelimit')).toBe('"three";r=2;t=1, "two";r=1;t=30');
    await get('both');
    const refused = await get('both');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30']);
  });
});

describe('@RateLimit elsewhere', () => {
  it('counts the calls of all handlers of a controller, each once', async () => {
    const url = await (await serve(WholeController)).getUrl();
    expect(await (await fetch(`${url}/whole/b`)).text()).toBe('a');
    expect((await fetch(`${url}/whole/a`)).status).toBe(200);
    expect((await fetch(`${url}/whole/b`)).status).toBe(429);
  });

  it('counts a call of a controller that extends another one once by each limit', async () => {
    @Controller('heir')
    @RateLimit('three', { cost: 1 })
    @RateLimit('two', { cost: 0.5 })
    class HeirController extends WholeController {
      @Get('c')
      c() {
        return 'c';
      }
    }
    const url = await (await serve(HeirController)).getUrl();
    for (const path of ['a', 'c']) {
      const { status, headers } = await fetch(`${url}/heir/${path}`);
      expect(status).toBe(200);
      const left = path === 'a' ? [1, 2] : [1, 1];
      expect(headers.get('ratelimit')).toMatch(
        new RegExp(`^"two";r=${left[0]};t=\\d+, "three";r=${left[1]};t=\\d+$`),
      );
    }
    expect(stage.limiter.check('two', { cost: 1 }).remaining).toBe(0);
  });

  it('refuses the sender of a message, in a hybrid application too', async () => {
    let runs = 0;
    @Controller()
    class Messages {
      @RateLimit('header', { key: (data: { id: string }) => data.id })
      @MessagePattern('place')
      place(@Payload() { id }: { id: string }) {
        runs += 1;
        return id;
      }
    }
    const { RpcException } = await import('@nestjs/microservices');
    const app = await serve(Messages);
    app.get(RATE_LIMIT_GATES.token('default')).answerMessagesWith(RpcException);
    const port = await freePort();
    const transport = { transport: Transport.TCP, options: { host: '127.0.0.1', port } } as const;
    app.connectMicroservice(transport);
    await app.startAllMicroservices();
    const client = ClientProxyFactory.create(transport);
    closers.push(() => Promise.resolve(client.close()));
    const send = (id: string) => firstValueFrom(client.send<string>('place', { id }));
    expect([await send('a'), await send('a'), await send('b')]).toEqual(['a', 'a', 'b']);
    await expect(send('a')).rejects.toMatchObject({
      ...{ status: 'error', code: 'RATE_LIMITED', rule: 'header', retryAfterMs: 30_000 },
    });
    expect(runs).toBe(3);
  });

  it('fails a call of a service in the way of its method', async () => {
    @Injectable()
    class Mails {
      @RateLimit('header', { key: (to: string) => to })
      async send(to: string): Promise<string> {
        return to;
      }
      @RateLimit('two')
      now(): number {
        return 7;
      }
      twice(): number {
        return this.now() + this.now();
      }
    }
    const app = await Test.createTestingModule({
      ...{ imports: [stage.module()], providers: [Mails] },
    }).compile();
    const mails = app.get(Mails);
    expect([await mails.send('a'), await mails.send('a'), await mails.send('b')]).toHaveLength(3);
    await expect(mails.send('a')).rejects.toThrow(RateLimitedError);
    expect(mails.twice()).toBe(14);
    expect(() => mails.now()).toThrow(RateLimitedError);
    await expect(new Mails().send('a')).rejects.toThrow(/import EtcdCoordinationModule/);
    await app.close();
  });

  it('cannot be what nobody could mean', () => {
    const on =
      (options: object, rule = 'two') =>
      () => {
        class Orders {
          place() {}
        }
        const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, 'place')!;
        (RateLimit(rule, options) as MethodDecorator)(Orders.prototype, 'place', descriptor);
      };
    expect(on({}, '')).toThrow(/names no limit/);
    expect(on({ keys: 1 })).toThrow(/no option "keys"/);
    expect(on({ key: 'ip' })).toThrow(/"key" is no function/);
    expect(on({ cost: 0 })).toThrow(/"cost"/);
    expect(on({ connection: '' })).toThrow(/"connection"/);
    expect(on({ key: () => 'a', cost: 2 })).not.toThrow();
  });
});
