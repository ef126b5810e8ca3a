import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from './application-classes.js';

/** A marked method, and what its marks say. */
export type Marked<Mark> = Mark & { readonly name: string | symbol };

type Methods<Args extends unknown[]> = Record<
  string | symbol,
  ((...args: Args) => unknown) | undefined
>;

/** The marked methods of one provider or controller, and the objects to call them on. */
export class MarkedMethods<Mark, Args extends unknown[]> {
  constructor(
    readonly className: string,
    private readonly wrapper: InstanceWrapper,
    readonly methods: readonly Marked<Mark>[],
  ) {}

  /**
   * The objects to call for an occasion: those that exist, or for a request-scoped class one
   * that is made for it. The occasion stands for the request there.
   */
  instances(occasion: object): Promise<readonly Methods<Args>[]> | readonly Methods<Args>[] {
    const { wrapper } = this;
    if (!wrapper.isDependencyTreeStatic()) return this.resolveFor(occasion);
    if (!wrapper.isTransient) return [wrapper.instance as Methods<Args>];
    // One for each place that it is injected into.
    return wrapper
      .getStaticTransientInstances()
      .flatMap((host) => (host ? [host.instance as Methods<Args>] : []));
  }

  private async resolveFor(occasion: object): Promise<readonly Methods<Args>[]> {
    const moduleRef = this.wrapper.host?.getProviderByKey<ModuleRef>(ModuleRef).instance;
    if (!moduleRef) throw new Error(`Nest keeps no module for ${this.className}`);
    const contextId = ContextIdFactory.create();
    moduleRef.registerRequestByContextId(occasion, contextId);
    return [await moduleRef.resolve<Methods<Args>>(this.wrapper.token as string, contextId)];
  }
}
