/**
 * The messages of grpc.health.v1, which are small enough to be written out:
 *
 *     message HealthCheckRequest { string service = 1; }
 *     message HealthCheckResponse { ServingStatus status = 1; }
 *
 * gRPC puts five bytes before each: whether it is compressed, and its length.
 */

const FRAME_BYTES = 5;
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;
const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** A framed request for the health of a service; an empty name asks for the server's. */
export function checkRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.from([SERVICE_TAG, ...varint(name.length)]), name]);
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** Null if a framed answer says SERVING, or else what it says, for people. */
export function readCheckAnswer(data: Buffer): string | null {
  const status = readStatus(data);
  if (status === null) return 'its answer is none of grpc.health.v1';
  if (status === SERVING) return null;
  return `said ${STATUS_NAMES[status] ?? `the status ${status}`}`;
}

function readStatus(data: Buffer): number | null {
  if (data.length < FRAME_BYTES || data[0] !== 0) return null;
  if (data.readUInt32BE(1) !== data.length - FRAME_BYTES) return null;
  const message = data.subarray(FRAME_BYTES);
  // What is not said is the first status.
  if (message.length === 0) return 0;
  const [tag, status = 0x80] = message;
  return message.length === 2 && tag === STATUS_TAG && status < 0x80 ? status : null;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
