import { Controller, Get } from '@nestjs/common';
import type { Etcd3 } from 'etcd3';
import { InjectEtcd } from 'nestjs-etcd-coordination';
import { audit, type AuditReport } from '../audit/audit.js';
import { readBooks } from '../audit/read-books.js';
import { DemoKeys } from '../data/demo-keys.js';

/** `GET /audit`: the sums that must hold, worked out from etcd alone. */
@Controller('audit')
export class AuditController {
  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
  ) {}

  @Get()
  async audit(): Promise<AuditReport> {
    return audit(await readBooks(this.etcd, this.keys));
  }
}
