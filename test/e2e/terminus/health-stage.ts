import { Controller, Get, type INestApplication, Injectable, Module } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import {
  type CoordinationOptions,
  EtcdCoordinationModule,
  Leader,
  WatchConfig,
} from 'nestjs-etcd-coordination';
import { EtcdHealthIndicator } from 'nestjs-etcd-coordination/terminus';
import { z } from 'zod';

@Injectable()
class Worker {
  @WatchConfig('prices', { schema: z.object({ perItem: z.number() }), default: { perItem: 1 } })
  readonly prices!: { readonly perItem: number };

  @Leader('reconciler')
  reconcile(): void {}
}

@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly etcd: EtcdHealthIndicator,
  ) {}
  @Get('live') live() {
    return this.health.check([() => this.etcd.liveness('etcd')]);
  }
  /** Whatever became of the last lease, at once. */
  @Get('live-at-once') liveAtOnce() {
    return this.health.check([() => this.etcd.liveness('etcd', { refusedAfterMs: 1 })]);
  }
  @Get('ready') ready() {
    return this.health.check([() => this.etcd.readiness('etcd', { services: ['orders'] })]);
  }
  @Get('reports') reports() {
    return this.health.check([() => this.etcd.readiness('etcd', { connection: 'reports' })]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  providers: [EtcdHealthIndicator, Worker],
  controllers: [HealthController],
})
class AppModule {}

/** What `path` answers. */
export interface Answer {
  readonly http: number;
  readonly status: string;
  readonly etcd: { readonly status: string; readonly message?: string } & Record<string, unknown>;
}

/** An application with health checks for a liveness and a readiness probe, and what it answers over HTTP. */
export class HealthStage {
  private constructor(readonly app: INestApplication) {}

  static async start(...connections: CoordinationOptions[]): Promise<HealthStage> {
    const module = await Test.createTestingModule({
      imports: [AppModule, ...connections.map((each) => EtcdCoordinationModule.forRoot(each))],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    return new HealthStage(app);
  }

  async ask(path: string): Promise<Answer> {
    const answer = await fetch(`${await this.app.getUrl()}/${path}`);
    const { status, details } = (await answer.json()) as {
      status: string;
      details: { etcd: Answer['etcd'] };
    };
    return { http: answer.status, status, etcd: details.etcd };
  }

  /** Whether `path` answers so now: its HTTP status, and the indicator's. */
  async says(path: string, http: number, status: string): Promise<boolean> {
    const answer = await this.ask(path);
    return answer.http === http && answer.etcd.status === status;
  }
}
