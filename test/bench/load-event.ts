// The events of the benchmarks: valid order.* payloads of one exact size that begin with a counter per channel (`n`)
// and the time of the publish call (`at`) at fixed offsets. The counter tells a gap from a duplicate on any channel,
// which a stream sequence (with its honest holes) cannot; the fixed size lets a reader hop from frame to frame.
import { packTypeName, packValue, writeEventHead } from '@sluice/schemas';

export const TYPES = ['status_changed', 'location_updated'] as const;
export type LoadType = (typeof TYPES)[number];

/** Before the counter: map head, `n`, uint32 head. Before the time: `at`, float64 head. */
export const COUNTER_OFFSET = 4;
export const TIME_OFFSET = 12;

const FIRST_BYTES = [0xa1, 0x6e, 0xce];
const TIMESTAMP = '2026-01-01T00:00:00.000Z';

/** Checks that a payload of ours begins at `offset`: a reader that lost its place does not get past it. */
export const isPayloadStart = (bytes: Buffer, offset: number): boolean =>
  bytes[offset + 1] === FIRST_BYTES[0] && bytes[offset + 2] === FIRST_BYTES[1] && bytes[offset + 3] === FIRST_BYTES[2];

/** One order as the load sees it; `merchant` and `user` are what filters of other roles than admin match. */
export interface LoadChannel {
  readonly orderId: string;
  readonly userId: string;
}

export const subjectOf = ({ orderId, userId }: LoadChannel, type: LoadType): string =>
  `order.m-1.${userId}.${orderId}.${type}`;

/** A payload of exactly `size` bytes, with the counter and the time left to be patched. */
export const createPayload = ({ orderId }: LoadChannel, type: LoadType, size: number): Buffer => {
  const withPad = (pad: string): Buffer => {
    const fields =
      type === 'status_changed'
        ? { orderId, status: 'preparing', timestamp: TIMESTAMP, message: pad }
        : { orderId, location: { latitude: 12.5, longitude: 77.5 }, timestamp: TIMESTAMP, pad };
    const rest = packValue(fields);
    // Two more entries in front, written by hand: their encoding must not depend on their values. msgpackr counts the
    // entries of a map in two bytes, or in the head.
    const isWide = rest[0] === 0xde;
    const head = 0x80 | (Object.keys(fields).length + 2);
    const entries = Buffer.from([head, ...FIRST_BYTES, 0, 0, 0, 0, 0xa2, 0x61, 0x74, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0]);
    return Buffer.concat([entries, rest.subarray(isWide ? 3 : 1)]);
  };
  // Text of a length whose msgpack head has another size is longer by a byte: try around the first guess.
  const guess = size - withPad('').length;
  for (const length of [guess, guess - 1, guess - 2]) {
    const payload = length < 0 ? undefined : withPad('-'.repeat(length));
    if (payload?.length === size) return payload;
  }
  throw new Error(`no ${type} payload of ${size} bytes: at least ${withPad('').length}`);
};

export const stampPayload = (bytes: Buffer, offset: number, counter: number, timeMs: number): void => {
  bytes.writeUInt32BE(counter, offset + COUNTER_OFFSET);
  bytes.writeDoubleBE(timeMs, offset + TIME_OFFSET);
};

/** A complete event frame around a payload, as the gateway would write it; for the raw ceilings. */
export const createFrame = (
  payload: Buffer,
  type: LoadType,
  sequence: number,
): { frame: Buffer; payloadAt: number } => {
  const head = Buffer.alloc(96);
  const payloadAt = writeEventHead(head, 0, 1, sequence, Date.now(), packTypeName(`order.${type}`));
  return { frame: Buffer.concat([head.subarray(0, payloadAt), payload]), payloadAt };
};
