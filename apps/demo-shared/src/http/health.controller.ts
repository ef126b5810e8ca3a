import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { ConfigHealthIndicator, EtcdHealthIndicator } from 'nestjs-etcd-coordination/terminus';

/**
 * `GET /health`, for load balancers and orchestrators: 200, or 503 if this process should get no
 * requests. `degraded` is 200 too: it serves, and somebody should look at what it says.
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
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.etcd.check('etcd'), () => this.configs.check('config')]);
  }
}
