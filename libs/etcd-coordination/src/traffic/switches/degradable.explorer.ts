import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { classesOf } from '../../nest/application-classes.js';
import { type DegradedMethod, degradedMethodsOf } from './degraded-methods.js';

/** Finds the methods of one application's classes that switches cut. */
@Injectable()
export class DegradableExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  explore(): readonly DegradedMethod[] {
    return [...classesOf(this.modules)].flatMap(({ type }) => degradedMethodsOf(type));
  }
}
