import { describe, expect, it } from 'vitest';
import { type AnyMethod, wrapMethod } from './decorated-method.js';
import { InvalidDecoratorUseError } from './invalid-decorator-use.error.js';
import { InvalidKeyArgumentError } from './invalid-key-argument.error.js';
import { compileKey, type KeySource } from './key-template.js';

/** Compiles for a method of a class that is written out in the test. */
function keyOf(type: NewableFunction, source: KeySource, name = 'place') {
  const target = type.prototype as Record<string, AnyMethod>;
  return compileKey(source, target[name]!, { decorator: 'DistributedLock', target, name });
}

/** As {@link keyOf} for a class with the one method whose source this is. */
function keyFrom(method: string, source: KeySource) {
  // Not written out: a formatter or a compiler would change what is tested.
  // oxlint-disable-next-line typescript/no-implied-eval
  const type = new Function(`return class Orders { ${method} }`)() as NewableFunction;
  const name = Object.getOwnPropertyNames(type.prototype).find((own) => own !== 'constructor')!;
  return keyOf(type, source, name);
}

class Orders {
  place(_orderId: string, _order: { lines: { sku: string }[] }): void {}
}

describe('a template', () => {
  it.each([
    ['place(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['place(a, orderId, b) {}', '{orderId}', [1, 2, 3], '2'],
    ['async place(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['*place(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['async *place(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['["pl" + "ace"](orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['async *[("(", `${")"}`, "x")](orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['"a quoted (name)"(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['async(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['get(orderId) {}', 'order/{orderId}', ['7'], 'order/7'],
    ['$place_ü($id, _ü) {}', '{$id}/{_ü}', [1, 2], '1/2'],
    ['place(a = ")", orderId = 1) {}', '{orderId}', [1, 2], '2'],
    ['place(a = (x, y) => ({ x, y }), orderId) {}', '{orderId}', [1, 2], '2'],
    ['place(a = [1, 2], orderId) {}', '{orderId}', [1, 2], '2'],
    ['place(a = /[/),(]/, orderId) {}', '{orderId}', [1, 2], '2'],
    ['place(a = `,${`)${"}"}`},`, orderId) {}', '{orderId}', [1, 2], '2'],
    ["place(a = '\\'),', orderId) {}", '{orderId}', [1, 2], '2'],
    ['place(a /* , b) */, // c)\n orderId,) {}', '{orderId}', [1, 2], '2'],
    ['place /* (x) */ (orderId) {}', '{orderId}', [1], '1'],
    ['place(...ids) {}', '{ids.1}', [1, 2], '2'],
    ['place(a, ...[b, c]) {}', '{c}', [1, 2, 3], '3'],
    ['place({ orderId }) {}', '{orderId}', [{ orderId: 1 }], '1'],
    [
      'place({ id: orderId, other = 2 }, b) {}',
      '{orderId}/{other}/{b}',
      [{ id: 1, other: 2 }, 3],
      '1/2/3',
    ],
    [
      'place({ order: { lines: [, { sku }] } }) {}',
      'sku/{sku}',
      [{ order: { lines: [{}, { sku: 'x' }] } }],
      'sku/x',
    ],
    ['place({ "order-id": orderId = {} } = {}) {}', '{orderId}', [{ 'order-id': 1 }], '1'],
    ['place([a, [orderId]]) {}', '{orderId}', [[1, [2]]], '2'],
    ['place(order) {}', 'sku/{order.lines.0.sku}', [{ lines: [{ sku: 'x' }] }], 'sku/x'],
    ['place({ order }) {}', 'sku/{order.sku}', [{ order: { sku: 'x' } }], 'sku/x'],
    ['place() { return arguments[0]; }', 'all', ['x'], 'all'],
    ['place(a, b) {}', 'sku/{1.id}/{0}', ['x', { id: 1 }], 'sku/1/x'],
    ['place(...all) {}', '{3}', [0, 1, 2, 3], '3'],
  ])('of %s reads %s', (method, source, args, key) => {
    expect(keyFrom(method, source)(args)).toBe(key);
  });

  it.each([
    ['text', 'a'],
    [0, '0'],
    [-1.5, '-1.5'],
    [2n ** 70n, '1180591620717411303424'],
    [false, 'false'],
  ])('takes %s', (value, shown) => {
    expect(keyFrom('place(id) {}', 'x/{id}')([value])).toBe(`x/${shown === 'a' ? 'text' : shown}`);
  });

  it('lets no value reach into another segment of the key', () => {
    const key = keyFrom('place(a, b) {}', '{a}/{b}');

    expect(key(['x/y', 'z'])).toBe('x%2Fy/z');
    expect(key(['x/y', 'z'])).not.toBe(key(['x', 'y/z']));
    // Nor may one that looks escaped already be taken for another.
    expect(key(['x%2Fy', 'z'])).toBe('x%252Fy/z');
    expect(key(['{b}', 'z'])).toBe('{b}/z');
  });

  it.each([
    [undefined, 'is undefined'],
    [null, 'is null'],
    ['', 'is an empty string'],
    [{ secret: 'x' }, 'is an object'],
    [[1], 'is an array'],
    [NaN, 'is NaN'],
    [-Infinity, 'is -Infinity'],
    [Symbol('x'), 'is a symbol'],
    [() => 'x', 'is a function'],
    ['\ud800', 'holds half of a surrogate pair'],
  ])('refuses %o, naming the template, the argument and the method', (value, fault) => {
    const key = keyFrom('place(a, orderId) {}', 'order/{orderId}');

    expect(() => key(['x', value])).toThrow(InvalidKeyArgumentError);
    expect(() => key(['x', value])).toThrow(
      `The key "order/{orderId}" of Orders.place() cannot be built: the argument "orderId" of the call ${fault}.`,
    );
  });

  it('refuses a path that ends early', () => {
    const key = keyFrom('place(order) {}', '{order.lines.0.sku}');

    for (const order of [undefined, null, {}, { lines: [] }, { lines: [{}] }]) {
      expect(() => key([order])).toThrow(/the argument "order\.lines\.0\.sku" of the call is/);
    }
  });

  it('does not see a default of the parameter list', () => {
    expect(() => keyFrom('place(id = 7) {}', '{id}')([])).toThrow(/"id" of the call is undefined/);
  });
});

describe('a template of what is not there', () => {
  it.each([
    ['place(id) {}', '{orderId}', 'asks for {orderId}, but has no such parameter, only id'],
    ['place() {}', '{orderId}', 'has no such parameter, nor any other'],
    ['place(id) {}', '{1}', 'asks for {1}, but has no such parameter, only id'],
    ['place(id) {}', '{}', 'asks for {}, which is neither the name nor the position'],
    ['place(id) {}', '{ id }', 'which is neither the name nor the position'],
    ['place(id) {}', '{id.}', 'which is neither'],
    ['place(id) {}', '{id..a}', 'which is neither'],
    ['place(id) {}', '{id', 'has a brace without its counterpart'],
    ['place(id) {}', 'a}', 'has a brace without its counterpart'],
    ['place(id) {}', '{{id}}', 'has a brace without its counterpart'],
    ['place({ [Math.random()]: id }) {}', '{id}', 'its source does not say where "id" comes from'],
    ['place({ a, ...id }) {}', '{id.b}', 'its source does not say where "id" comes from'],
    ['place(id) {}', '', 'is no name: it is empty'],
    ['place(id) {}', '/{id}', 'is no name: it starts or ends with "/"'],
    ['place(id) {}', 'a//{id}', 'or holds "//"'],
    ['place(id) {}', `${'x'.repeat(512)}{id}`, 'has 513 bytes'],
  ])('of %s, %s, is refused while the class is defined', (method, source, fault) => {
    expect(() => keyFrom(method, source)).toThrow(InvalidDecoratorUseError);
    expect(() => keyFrom(method, source)).toThrow(fault);
    expect(() => keyFrom(method, source)).toThrow(/^@DistributedLock on Orders\.place cannot work/);
  });

  it.each([undefined, null, 42, Symbol('x'), {}])('is no key: %o', (source) => {
    expect(() => keyFrom('place() {}', source as never)).toThrow(
      /its key is neither a string nor a function/,
    );
  });
});

describe('a method that other decorators have wrapped', () => {
  const wrappers: Record<string, (descriptor: PropertyDescriptor) => void> = {
    'one of ours': (descriptor) => wrapMethod(descriptor, () => undefined),
    'two of ours': (descriptor) => {
      wrapMethod(descriptor, () => undefined);
      wrapMethod(descriptor, () => undefined);
    },
    'a Proxy': (descriptor) => {
      descriptor.value = new Proxy(descriptor.value as AnyMethod, {});
    },
    'a bound function': (descriptor) => {
      descriptor.value = (descriptor.value as AnyMethod).bind(null);
    },
    'a function': (descriptor) => {
      descriptor.value = function (...args: unknown[]) {
        return args;
      };
    },
  };

  it.each(Object.keys(wrappers))('is read through %s', (wrapper) => {
    // oxlint-disable-next-line typescript/no-implied-eval
    const type = new Function(`return class Orders extends (class { place(wrong) {} }) {
      static place(alsoWrong) {}
      #own = /[{]/; field = { place(wrong) { } };
      static { this.x = () => { }; }
      before() { this.place(2); if (1) { return "}" } return \`\${'{'}\`; }
      async place(orderId, count) { }
      after() { place(other); }
      other() { const place = (wrong) => {}; }
    }`)() as NewableFunction;
    const { prototype } = type;
    const descriptor = Object.getOwnPropertyDescriptor(prototype, 'place')!;
    wrappers[wrapper]!(descriptor);
    Object.defineProperty(prototype, 'place', descriptor);

    expect(keyOf(type, 'order/{orderId}/{count}')([7, 8])).toBe('order/7/8');
    expect(keyOf(type, 'order/{1}')([7, 8])).toBe('order/8');
    expect(() => keyOf(type, 'order/{wrong}')).toThrow(InvalidDecoratorUseError);
  });

  it('takes positions where no source tells names', () => {
    const target = Object.create({ constructor: Object }) as object;
    const place = { decorator: 'DistributedLock', target, name: 'place' };
    const hidden: AnyMethod = new Proxy(() => undefined, {});

    expect(compileKey('{1}', hidden, place)([7, 8])).toBe('8');
    expect(() => compileKey('{id}', hidden, place)).toThrow(/another decorator hides the names/);
  });
});

describe('a function', () => {
  it('makes the key of the arguments', () => {
    const key = keyOf(Orders, ([orderId, order]: [string, { lines: { sku: string }[] }]) => {
      return `${orderId}/${order.lines[0]?.sku}`;
    });

    expect(key(['7', { lines: [{ sku: 'x' }] }])).toBe('7/x');
  });

  it.each([
    [undefined, 'is undefined'],
    ['', 'is an empty string'],
    [7, 'is 7'],
    [Promise.resolve('x'), 'is a promise'],
  ])('is refused when it returns %o', (value, fault) => {
    const key = keyOf(Orders, () => value as string);

    expect(() => key([])).toThrow(InvalidKeyArgumentError);
    expect(() => key([])).toThrow(
      `The key "(args) => key" of Orders.place() cannot be built: what its function returned ${fault}. Give a string that is not empty.`,
    );
  });
});
