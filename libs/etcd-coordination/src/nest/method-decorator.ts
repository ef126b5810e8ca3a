/** Decorates methods of type `Method` only. */
export type MethodDecoratorFor<Method> = <M extends Method>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;
