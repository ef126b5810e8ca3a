import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { waitFor } from '../../../../test/support/wait-for.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { Leader } from '../election/leader.decorator.js';
import { ElectionService } from '../election/election.service.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

it('works', async () => {
  const etcd = await EmbeddedEtcd.start();
  @Injectable()
  class Jobs {
    runs = 0;
    @Leader('x') run(): void {
      this.runs++;
    }
  }
  const app = await Test.createTestingModule({
    imports: [EtcdCoordinationModule.forRoot({ endpoints: [etcd.endpoint] })],
    providers: [Jobs],
  }).compile();
  await app.init();
  await waitFor(() => app.get(ElectionService).term('x'), { what: 'term' });
  app.get(Jobs).run();
  expect(app.get(Jobs).runs).toBe(1);
  await app.close();
  await etcd.close();
});
