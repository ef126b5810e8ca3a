import { loadSync } from '@grpc/proto-loader';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Takes the messages out of a gRPC body as it arrives: a flag, four bytes of length, the message. */
export class MessageReader {
  private rest: Buffer = Buffer.alloc(0);

  /** Whole frames, headers included, so that they can be passed on as they are. */
  push(data: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    const frames: Buffer[] = [];
    while (this.rest.length >= 5) {
      const size = 5 + this.rest.readUInt32BE(1);
      if (this.rest.length < size) break;
      frames.push(this.rest.subarray(0, size));
      this.rest = this.rest.subarray(size);
    }
    return frames;
  }
}

interface Codec {
  readonly request: (bytes: Buffer) => object;
  readonly response: (bytes: Buffer) => object;
}

let codecs: Map<string, Codec> | undefined;

/** The message of a frame as etcd's proto has it; snake_case names, 64-bit numbers as strings. */
export function decodeMessage<T = Record<string, unknown>>(
  path: string,
  kind: keyof Codec,
  frame: Buffer,
): T {
  codecs ??= loadCodecs();
  const codec = codecs.get(path);
  if (!codec) throw new Error(`etcd's proto has no method ${path}.`);
  return codec[kind](frame.subarray(5)) as T;
}

/** The proto that etcd3 ships: the tests need no copy of their own. */
function loadCodecs(): Map<string, Codec> {
  const etcd3 = dirname(createRequire(import.meta.url).resolve('etcd3/package.json'));
  const definition = loadSync(join(etcd3, 'proto', 'rpc.proto'), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
  });
  const found = new Map<string, Codec>();
  for (const service of Object.values(definition)) {
    if ('format' in service) continue;
    for (const method of Object.values(service)) {
      found.set(method.path, {
        request: method.requestDeserialize,
        response: method.responseDeserialize,
      });
    }
  }
  return found;
}
