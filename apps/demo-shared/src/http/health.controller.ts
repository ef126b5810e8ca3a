import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { ConfigHealthIndicator, EtcdHealthIndicator } from 'nestjs-etcd-coordination/terminus';

/**
 * - `GET /health`, for load balancers: 200, or 503 if this process should get no requests. `degraded` is
 *   200 too: it serves, and somebody should look at what it says
 * - `GET /health/live`, for orchestrators and the fleet's own prober: 503 if a restart would help
 */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly etcd: EtcdHealthIndicator,
    private readonly configs: ConfigHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.etcd.readiness('etcd', { without: ['configuration'] }),
      () => this.configs.check('config'),
    ]);
  }

  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.etcd.liveness('etcd')]);
  }
}
