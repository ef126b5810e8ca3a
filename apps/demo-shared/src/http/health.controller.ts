import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { EtcdHealthIndicator } from 'nestjs-etcd-coordination/terminus';

/** `GET /health`, for load balancers and orchestrators: 200, or 503 with what is wrong. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly etcd: EtcdHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.etcd.check('etcd')]);
  }
}
