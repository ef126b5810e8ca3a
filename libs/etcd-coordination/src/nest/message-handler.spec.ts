import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { type AnyMethod, wrapMethod } from './decorated-method.js';
import { isMessageHandler } from './message-handler.js';

const marksMessages: MethodDecorator = (_, __, descriptor) => {
  Reflect.defineMetadata('microservices:pattern', ['ship'], descriptor.value as object);
};

/** Notes what its own wrapper thinks of being called for a message. */
const asks =
  (answers: boolean[]): MethodDecorator =>
  (_, __, descriptor) => {
    const method = descriptor.value as AnyMethod;
    wrapMethod(descriptor, (self, args, wrapper) => {
      answers.push(isMessageHandler(wrapper));
      return Reflect.apply(method, self, args);
    });
  };

describe('whether a method handles messages', () => {
  it.each([
    ['above all', [true, true]],
    ['between them', [true, true]],
    ['below them', [true, true]],
    ['nowhere', [false, false]],
  ] as const)(
    'is known to every decorator of it, where the marking one stands %s',
    (where, known) => {
      const answers: boolean[] = [];
      const [mark, none] = [marksMessages, (() => undefined) as MethodDecorator];
      class Shipping {
        @(where === 'above all' ? mark : none)
        @asks(answers)
        @(where === 'between them' ? mark : none)
        @asks(answers)
        @(where === 'below them' ? mark : none)
        ship(): void {}
      }
      new Shipping().ship();
      expect(answers).toEqual(known);
    },
  );
});
