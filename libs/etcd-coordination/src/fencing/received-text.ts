import type { ExecutionContext } from '@nestjs/common';
import { FENCE_HEADER } from './fence-codec.js';

/** What the contexts of Nest's transports have, of which each has some. */
interface MessageContext {
  /** TCP and Redis: what the sender's dispatch hook has set. */
  getMetadata?(): Headers | undefined;
  /** NATS. */
  getHeaders?(): HeaderGetter | undefined;
  /** Kafka: a message with headers. RabbitMQ: one with properties and a content. */
  getMessage?(): {
    readonly headers?: Headers;
    readonly properties?: { readonly headers?: Headers };
    readonly content?: unknown;
  };
  /** MQTT. */
  getPacket?(): {
    readonly properties?: { readonly userProperties?: Headers };
    readonly payload?: unknown;
  };
  /** gRPC: its metadata is the context. */
  get?: HeaderGetter['get'];
}

type Headers = Readonly<Record<string, unknown>>;

interface HeaderGetter {
  get(name: string): unknown;
}

/** The text of the fences that a call carries, whatever it came over; undefined if it carries none. */
export function receivedText(context: ExecutionContext): string | undefined {
  return textOf(context.getType() === 'rpc' ? inMessage(context) : inRequest(context));
}

function inRequest(context: ExecutionContext): unknown {
  const { headers } = context.switchToHttp().getRequest<{ headers?: Headers } | undefined>() ?? {};
  if (headers) return headers[FENCE_HEADER];
  // GraphQL: the request lies in the third argument of a resolver.
  const third = context.getArgByIndex<{ req?: { headers?: Headers } } | undefined>(2);
  return third?.req?.headers?.[FENCE_HEADER];
}

function inMessage(context: ExecutionContext): unknown {
  const rpc = context.switchToRpc().getContext<MessageContext | undefined>();
  if (!rpc) return undefined;
  const message = rpc.getMessage?.();
  const packet = rpc.getPacket?.();
  return (
    rpc.getMetadata?.()?.[FENCE_HEADER] ??
    rpc.getHeaders?.()?.get(FENCE_HEADER) ??
    message?.headers?.[FENCE_HEADER] ??
    message?.properties?.headers?.[FENCE_HEADER] ??
    packet?.properties?.userProperties?.[FENCE_HEADER] ??
    inBody(message?.content ?? packet?.payload) ??
    rpc.get?.(FENCE_HEADER)
  );
}

/** Over RabbitMQ and MQTT the metadata of a dispatch hook lies in the body, which Nest's contexts do not show. */
function inBody(body: unknown): unknown {
  if (!(body instanceof Uint8Array)) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  // Most carry none, and need not be parsed twice.
  if (!bytes.includes(`"${FENCE_HEADER}"`)) return undefined;
  try {
    const packet = JSON.parse(bytes.toString()) as { metadata?: Headers } | null;
    return packet?.metadata?.[FENCE_HEADER];
  } catch {
    return undefined;
  }
}

/** Some give a header as bytes, some as a list of all that have its name. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(textOf).join(', ');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  // What is neither is none, and refused as such.
  return typeof value === 'string' ? value : typeof value;
}
