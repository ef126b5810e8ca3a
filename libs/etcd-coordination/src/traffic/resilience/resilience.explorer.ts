import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { classesOf } from '../../nest/application-classes.js';
import { type PolicyUse, policyUsesOf } from './policy-uses.js';

/** Finds the policies that one application's decorated methods run under. */
@Injectable()
export class ResilienceExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  explore(): readonly PolicyUse[] {
    return [...classesOf(this.modules)].flatMap(({ type }) => policyUsesOf(type));
  }
}
