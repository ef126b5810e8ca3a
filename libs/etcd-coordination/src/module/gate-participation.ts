import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { LEADER_GATES } from '../election/leader-gate.js';
import { FENCE_GATES } from '../fencing/fence-gate.js';
import { LOCK_GATES } from '../lock/lock-gate.js';
import type { Gate, GateKind } from '../nest/gate.js';
import { gatedClassesOf } from '../nest/gated-classes.js';
import type { RpcExceptionType } from '../nest/rpc-exception.js';
import { RATE_LIMIT_GATES } from '../traffic/limit/rate-limit-gate.js';
import { RESILIENCE_GATES } from '../traffic/resilience/resilience-gate.js';
import { SWITCH_GATES } from '../traffic/switches/switch-gate.js';
import { ConnectionRegistry } from './connection-registry.js';

/** Every kind of gate that decorated methods ask. */
const GATE_KINDS: readonly GateKind<Gate>[] = [
  LEADER_GATES,
  LOCK_GATES,
  FENCE_GATES,
  RATE_LIMIT_GATES,
  RESILIENCE_GATES,
  SWITCH_GATES,
];

/**
 * Gives gates to the objects that Nest did not build, and has message handlers refused in a way
 * that their senders can read.
 */
@Injectable()
export class GateParticipation implements OnModuleInit {
  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
    private readonly registry: ConnectionRegistry,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.registry.allOrNone(async () => {
      const { ungated, handlesMessages } = gatedClassesOf(this.modules, GATE_KINDS);
      for (const { kind, instance, connection, className } of ungated) {
        // Says who asked for a connection that is not there.
        this.registry.get(connection, className);
        kind.give(instance, connection, this.gateOf(kind, connection));
      }
      if (handlesMessages) await this.answerMessages();
    });
  }

  /** Only loads what the application has loaded itself. */
  private async answerMessages(): Promise<void> {
    const { RpcException } = (await import('@nestjs/microservices')) as {
      RpcException: RpcExceptionType;
    };
    for (const { name } of this.registry.all) {
      for (const kind of GATE_KINDS) this.gateOf(kind, name).answerMessagesWith(RpcException);
    }
  }

  private gateOf(kind: GateKind<Gate>, connection: string): Gate {
    return this.moduleRef.get(kind.token(connection), { strict: false });
  }
}
