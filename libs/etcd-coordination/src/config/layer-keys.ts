import type { IKeyValue } from 'etcd3';
import {
  configDocumentsPrefix,
  configLayerKey,
  configSequenceSegment,
  configVersionsPrefix,
  parseConfigSequence,
} from '../client/keys.js';
import { layerPath, type ConfigLayer } from './config-layer.js';

/** The keys of one part of a layer's history, one for each version. */
export class SequencedKeys {
  constructor(private readonly prefix: string) {}

  /** The range of all of them. Whatever else somebody has put there is left aside: ":" follows "9". */
  get all(): { key: Buffer; range_end: Buffer } {
    return { key: Buffer.from(`${this.prefix}0`), range_end: Buffer.from(`${this.prefix}:`) };
  }

  /** The range of those of the versions before `sequence`. */
  before(sequence: number): { key: Buffer; range_end: Buffer } {
    return { key: this.of(0), range_end: this.of(sequence) };
  }

  of(sequence: number): Buffer {
    return Buffer.from(this.prefix + configSequenceSegment(sequence));
  }

  /** Which version's a key is, or null if it is none. */
  sequenceOf({ key }: IKeyValue): number | null {
    return parseConfigSequence(key.toString().slice(this.prefix.length));
  }
}

/** The keys of one layer and of its history. */
export class LayerKeys {
  readonly layer: Buffer;
  /** What is known of each version besides its document. */
  readonly versions: SequencedKeys;
  readonly documents: SequencedKeys;

  /** @throws {InvalidConfigLayerError} if there is no such layer */
  constructor(namespace: string, key: string, layer: ConfigLayer) {
    const path = layerPath(layer);
    this.layer = Buffer.from(configLayerKey(namespace, key, path));
    this.versions = new SequencedKeys(configVersionsPrefix(namespace, key, path));
    this.documents = new SequencedKeys(configDocumentsPrefix(namespace, key, path));
  }
}
