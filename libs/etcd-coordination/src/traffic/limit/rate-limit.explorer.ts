import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { classesOf } from '../../nest/application-classes.js';
import { InvalidDecoratorUseError } from '../../nest/invalid-decorator-use.error.js';
import { isController, type LimitUse, limitUsesOf } from './limit-uses.js';

/** Finds the limits that one application's classes ask for. */
@Injectable()
export class RateLimitExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /** @throws {InvalidDecoratorUseError} for a class under a limit as a whole that is no controller */
  explore(): readonly LimitUse[] {
    return [...classesOf(this.modules)].flatMap(({ type }) => {
      const uses = limitUsesOf(type);
      const whole = uses.find(({ isWhole }) => isWhole);
      if (whole && !isController(type)) {
        const fault = 'as a whole, only a controller has handlers whose calls can be counted';
        throw new InvalidDecoratorUseError('RateLimit', type.name, fault);
      }
      return uses;
    });
  }
}
