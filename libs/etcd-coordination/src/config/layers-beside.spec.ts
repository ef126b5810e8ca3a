import { describe, expect, it } from 'vitest';
import { layersReadWith } from './layers-beside.js';

describe('the layers of whoever reads one', () => {
  const own = { instanceId: 'orders-1', service: 'orders', zone: 'eu', labels: {} };
  const all = ['shared', 'service:orders', 'zone:eu', 'instance:orders-1'];

  it('are this instance’s own ones, if it reads it', () => {
    for (const layer of all) expect(layersReadWith(own, layer as 'shared')).toEqual(all);
  });

  it('are the wider ones of its own, if it does not', () => {
    expect(layersReadWith(own, 'service:stock')).toEqual(['shared', 'service:stock']);
    expect(layersReadWith(own, 'zone:us')).toEqual(['shared', 'service:orders', 'zone:us']);
    expect(layersReadWith(own, 'instance:orders-2')).toEqual([
      ...['shared', 'service:orders', 'zone:eu', 'instance:orders-2'],
    ]);
  });

  it('are that one and the shared one for somebody who has no others', () => {
    const ops = { instanceId: 'ada', labels: {} };
    expect(layersReadWith(ops, 'zone:us')).toEqual(['shared', 'zone:us']);
    expect(layersReadWith(ops, 'shared')).toEqual(['shared', 'instance:ada']);
  });
});
