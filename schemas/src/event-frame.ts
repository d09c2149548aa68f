// The event frame, written by hand into a caller's buffer: the gateway's hot path. The payload is spliced in undecoded,
// which is safe only for bytes that passed the payload gate (one well-formed value, no byte more).
import { event } from './frames/event.ts';

const text = new TextEncoder();

/** Everything of a msgpack event frame but its payload takes at most this many bytes plus the type's. */
export const MAX_EVENT_HEAD_BYTES = 32;

/** msgpack bytes of an event type's name, made once per type. */
export const packTypeName = (type: string): Uint8Array => {
  const name = text.encode(type);
  const size = name.length;
  const head = size < 32 ? [0xa0 | size] : size < 256 ? [0xd9, size] : [0xda, size >>> 8, size & 0xff];
  const packed = new Uint8Array(head.length + name.length);
  packed.set(head);
  packed.set(name, head.length);
  return packed;
};

/** Writes `[3, ref, sequence, time, type,` and returns the offset where the payload belongs. */
export const writeEventHead = (
  target: Uint8Array,
  offset: number,
  ref: number,
  sequence: number,
  timeMs: number,
  packedType: Uint8Array,
): number => {
  target[offset++] = 0x96;
  target[offset++] = event.code;
  offset = writeUnsigned(target, offset, ref);
  offset = writeUnsigned(target, offset, sequence);
  offset = writeUnsigned(target, offset, timeMs);
  for (let i = 0; i < packedType.length; i++) target[offset++] = packedType[i]!;
  return offset;
};

const writeUnsigned = (target: Uint8Array, offset: number, value: number): number => {
  if (value < 0x80) {
    target[offset++] = value;
  } else if (value < 0x1_0000) {
    target[offset++] = 0xcd;
    target[offset++] = value >>> 8;
    target[offset++] = value;
  } else {
    const isWide = value > 0xffff_ffff;
    target[offset++] = isWide ? 0xcf : 0xce;
    if (isWide) offset = writeWord(target, offset, Math.floor(value / 0x1_0000_0000));
    offset = writeWord(target, offset, value >>> 0);
  }
  return offset;
};

const writeWord = (target: Uint8Array, offset: number, word: number): number => {
  target[offset++] = word >>> 24;
  target[offset++] = word >>> 16;
  target[offset++] = word >>> 8;
  target[offset++] = word;
  return offset;
};

/** JSON counterpart: the payload and `]\n` follow. `jsonType` is the type's name already in quotes. */
export const eventHeadJson = (ref: number, sequence: number, timeMs: number, jsonType: string): string =>
  `[${event.code},${ref},${sequence},${timeMs},${jsonType},`;
