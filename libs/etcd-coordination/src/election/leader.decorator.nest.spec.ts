import {
  applyDecorators,
  Body,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  type INestApplication,
  type INestMicroservice,
  Injectable,
  type NestInterceptor,
  Param,
  ParseIntPipe,
  Post,
  Scope,
  SetMetadata,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  type ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { firstValueFrom, map, type Observable, of } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { freePort } from '../../../../test/support/free-port.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { currentTerm } from './current-term.js';
import { LEADER_GATES, LeaderGate } from './leader-gate.js';
import { Leader } from './leader.decorator.js';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function gateProvider(elections: FakeElections) {
  const gate = new LeaderGate(elections, 'me');
  gate.answerMessagesWith(RpcException);
  return { provide: LEADER_GATES.token('default'), useValue: gate };
}

/** Lets in, and answers `seen` with what it sees of the handler's own metadata. */
@Injectable()
class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext): boolean {
    return this.reflector.get<string>('role', context.getHandler()) === 'admin';
  }
}

@Injectable()
class Wrapping implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((answer: unknown) => ({ wrapped: answer })));
  }
}

describe('@Leader on HTTP handlers', () => {
  // Above and below all of a route's decorators, and in the midst of them.
  const above = applyDecorators(
    Leader('jobs', { otherwise: 'throw' }),
    Post('above/:id'),
    HttpCode(207),
    UseGuards(RoleGuard),
    UseInterceptors(Wrapping),
    SetMetadata('role', 'admin'),
  );
  const below = applyDecorators(
    Post('below/:id'),
    HttpCode(207),
    UseGuards(RoleGuard),
    UseInterceptors(Wrapping),
    SetMetadata('role', 'admin'),
    Leader('jobs', { otherwise: 'throw' }),
  );
  const amid = applyDecorators(
    Post('amid/:id'),
    HttpCode(207),
    UseGuards(RoleGuard),
    Leader('jobs', { otherwise: 'throw' }),
    UseInterceptors(Wrapping),
    SetMetadata('role', 'admin'),
  );

  function controllerIn(scope: Scope) {
    @Controller({ path: 'jobs', scope })
    class JobsController {
      @above
      above(@Param('id', ParseIntPipe) id: number, @Body() body: object) {
        return { id, body, epoch: String(currentTerm()?.epoch) };
      }
      @below
      async below(@Param('id', ParseIntPipe) id: number, @Body() body: object) {
        return { id, body, epoch: String(currentTerm()?.epoch) };
      }
      @amid
      amid(@Param('id', ParseIntPipe) id: number, @Body() body: object) {
        return of({ id, body, epoch: String(currentTerm()?.epoch) });
      }
      @Get('quiet')
      @Leader('jobs')
      quiet(): void {}
      @Post('closed/:id')
      @UseGuards(RoleGuard)
      @Leader('jobs', { otherwise: 'throw' })
      closed(): string {
        return 'never';
      }
    }
    return JobsController;
  }

  async function serve(elections: FakeElections, scope = Scope.DEFAULT) {
    const module = await Test.createTestingModule({
      providers: [gateProvider(elections)],
      controllers: [controllerIn(scope)],
    }).compile();
    const app: INestApplication = module.createNestApplication({ logger: false });
    closers.push(() => app.close());
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return (path: string, method = 'POST') =>
      fetch(`${url}/jobs/${path}`, {
        method,
        ...(method === 'POST' && {
          body: JSON.stringify({ a: 1 }),
          headers: { 'content-type': 'application/json' },
        }),
      });
  }

  describe.each([Scope.DEFAULT, Scope.REQUEST])('in scope %s', (scope) => {
    it.each(['above', 'below', 'amid'])(
      'answers on the leader, all other decorators kept, when it stands %s them',
      async (place) => {
        const elections = new FakeElections();
        const ask = await serve(elections, scope);
        const { epoch } = elections.win('jobs');

        const answer = await ask(`${place}/12`);

        expect(answer.status).toBe(207);
        expect(await answer.json()).toEqual({
          wrapped: { id: 12, body: { a: 1 }, epoch: `${epoch}` },
        });
        // The pipe of the parameter is asked as ever.
        expect((await ask(`${place}/twelve`)).status).toBe(400);
      },
    );

    it.each(['above', 'below', 'amid'])(
      'answers 503 naming the leader elsewhere, when it stands %s them',
      async (place) => {
        const elections = new FakeElections();
        elections.ledBy('jobs', 'orders-2', 'http://10.0.0.2:3000');
        const ask = await serve(elections, scope);

        const answer = await ask(`${place}/12`);

        expect(answer.status).toBe(503);
        expect(await answer.json()).toEqual({
          statusCode: 503,
          message:
            '"me" does not lead the election "jobs", and only its leader runs this. The leader is "orders-2" (http://10.0.0.2:3000); ask there.',
        });
      },
    );

    it('does not open what a guard closes', async () => {
      const elections = new FakeElections();
      elections.win('jobs');
      const ask = await serve(elections, scope);

      expect((await ask('closed/1')).status).toBe(403);
    });

    it('skips a handler that answers nothing', async () => {
      const ask = await serve(new FakeElections(), scope);

      const answer = await ask('quiet', 'GET');

      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe('');
    });
  });
});

describe('@Leader on message handlers', () => {
  const events: string[] = [];

  @Controller()
  class MessagesController {
    @MessagePattern('above')
    @Leader('jobs', { otherwise: 'throw' })
    async pattern(@Payload() data: { n: number }): Promise<string> {
      return `${data.n} in ${currentTerm()?.epoch}`;
    }
    @Leader('jobs', { otherwise: 'throw' })
    @MessagePattern('below')
    patternBelow(@Payload('n', ParseIntPipe) n: number): string {
      return `${n} in ${currentTerm()?.epoch}`;
    }
    @EventPattern('event')
    @Leader('jobs')
    event(@Payload() data: string): void {
      events.push(data);
    }
  }

  async function serve(elections: FakeElections): Promise<ClientProxy> {
    const options = { host: '127.0.0.1', port: await freePort() };
    const module = await Test.createTestingModule({
      providers: [gateProvider(elections)],
      controllers: [MessagesController],
    }).compile();
    const app: INestMicroservice = module.createNestMicroservice({
      transport: Transport.TCP,
      options,
      logger: false,
    });
    closers.push(() => app.close());
    await app.listen();
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    closers.push(() => client.close());
    return client;
  }

  it.each(['above', 'below'])('answers on the leader: pattern %s', async (pattern) => {
    const elections = new FakeElections();
    const client = await serve(elections);
    const { epoch } = elections.win('jobs');

    expect(await firstValueFrom(client.send(pattern, { n: 5 }))).toBe(`5 in ${epoch}`);
  });

  it.each(['above', 'below'])(
    'tells the sender elsewhere who leads: pattern %s',
    async (pattern) => {
      const elections = new FakeElections();
      elections.ledBy('jobs', 'orders-2', 'tcp://10.0.0.2');
      const client = await serve(elections);

      await expect(firstValueFrom(client.send(pattern, { n: 5 }))).rejects.toEqual({
        status: 'error',
        code: 'NOT_LEADER',
        message:
          '"me" does not lead the election "jobs", and only its leader runs this. The leader is "orders-2" (tcp://10.0.0.2); ask there.',
        election: 'jobs',
        instanceId: 'me',
        leader: { leaderId: 'orders-2', value: 'tcp://10.0.0.2', epoch: '7' },
      });
    },
  );

  it('skips events until it leads', async () => {
    const elections = new FakeElections();
    const client = await serve(elections);

    client.emit('event', 'early');
    // Answered after the event, on the same connection.
    await expect(firstValueFrom(client.send('above', { n: 1 }))).rejects.toMatchObject({
      code: 'NOT_LEADER',
      leader: null,
    });
    elections.win('jobs');
    client.emit('event', 'led');
    await firstValueFrom(client.send('above', { n: 1 }));

    expect(events).toEqual(['led']);
  });
});

describe('@Leader on scheduled methods', () => {
  @Injectable()
  class Schedules {
    readonly ran = new Map<string, number>();
    asked = 0;

    @Interval(5)
    @Leader('jobs')
    intervalAbove(): void {
      this.note('interval above');
    }
    @Leader('jobs')
    @Interval(5)
    async intervalBelow(): Promise<void> {
      this.note('interval below');
    }
    @Cron('* * * * * *')
    @Leader('jobs')
    cronAbove(): void {
      this.note('cron above');
    }
    @Leader('jobs')
    @Cron('* * * * * *')
    cronBelow(): void {
      this.note('cron below');
    }
    @Interval(5)
    ungated(): void {
      this.asked++;
    }

    private note(what: string): void {
      this.ran.set(what, Number(currentTerm()?.epoch));
    }
  }

  it('runs them on the leader only, above and below', async () => {
    const elections = new FakeElections();
    const app = await Test.createTestingModule({
      imports: [ScheduleModule.forRoot()],
      providers: [gateProvider(elections), Schedules],
    }).compile();
    closers.push(() => app.close());
    await app.init();
    const schedules = app.get(Schedules);

    await waitFor(() => schedules.asked > 3, { what: 'some intervals' });
    expect(schedules.ran).toEqual(new Map());
    const epoch = Number(elections.win('jobs').epoch);
    await waitFor(() => schedules.ran.size === 4, { what: 'each schedule to run' });

    expect(new Set(schedules.ran.values())).toEqual(new Set([epoch]));
  });
});
