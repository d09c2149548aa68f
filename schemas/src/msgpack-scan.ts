// Walks msgpack bytes without decoding them: is there exactly one well-formed value, where does it end? Iterative, so
// that no nesting can overflow the stack. https://github.com/msgpack/msgpack/blob/master/spec.md
import { isUtf8 } from './utf8.ts';

export const MAX_DEPTH = 32;

/** Fault of the bytes, or the offset just past the value. Negative numbers are faults, so that no object is made. */
export const ScanFault = { truncated: -1, depth: -2, utf8: -3, extension: -4, reserved: -5, key: -6 } as const;

/** The timestamp is the only extension that may travel: others would run code of a decoder. */
const TIMESTAMP = -1;

/**
 * End offset of the value that starts at `offset`, or a negative `ScanFault`.
 * `remaining` counts, per open container, the values still to come. Keys of maps must be text: decoders disagree about
 * others, and msgpackr throws at maps, arrays and bytes in a key's place.
 */
export const scanMsgpack = (bytes: Uint8Array, offset: number, end: number, maxDepth: number = MAX_DEPTH): number => {
  let depth = 0;
  const remaining: number[] = [1];
  const isMap: boolean[] = [false];
  while (depth >= 0) {
    const left = remaining[depth]!;
    if (left === 0) {
      depth--;
      continue;
    }
    remaining[depth] = left - 1;
    if (offset >= end) return ScanFault.truncated;
    const head = bytes[offset++]!;
    // Of a map's values an even number is left where a key is due.
    if (left % 2 === 0 && isMap[depth] && !isTextHead(head)) return ScanFault.key;
    let skip = 0;
    let text = -1;
    let children = 0;
    let hasKeys = false;
    if (head < 0x80 || head >= 0xe0) {
      continue;
    } else if (head < 0x90) {
      children = (head & 0x0f) * 2;
      hasKeys = true;
    } else if (head < 0xa0) children = head & 0x0f;
    else if (head < 0xc0) text = head & 0x1f;
    else {
      const width = LENGTH_BYTES[head - 0xc0]!;
      if (offset + width > end) return ScanFault.truncated;
      let length = 0;
      for (let i = 0; i < width; i++) length = length * 256 + bytes[offset + i]!;
      offset += width;
      switch (head) {
        case 0xc1:
          return ScanFault.reserved;
        case 0xd9:
        case 0xda:
        case 0xdb:
          text = length;
          break;
        case 0xdc:
        case 0xdd:
          children = length;
          break;
        case 0xde:
        case 0xdf:
          children = length * 2;
          hasKeys = true;
          break;
        case 0xc7:
        case 0xc8:
        case 0xc9:
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8: {
          if (offset >= end) return ScanFault.truncated;
          const type = (bytes[offset]! << 24) >> 24;
          const size = head < 0xd0 ? length : 1 << (head - 0xd4);
          // Only the three layouts that the specification gives the timestamp.
          if (type !== TIMESTAMP || (size !== 4 && size !== 8 && size !== 12)) return ScanFault.extension;
          skip = 1 + size;
          break;
        }
        case 0xc4:
        case 0xc5:
        case 0xc6:
          skip = length;
          break;
        default:
          skip = FIXED_BYTES[head - 0xc0]!;
      }
    }
    if (text >= 0) {
      if (offset + text > end) return ScanFault.truncated;
      if (!isUtf8(bytes, offset, offset + text)) return ScanFault.utf8;
      offset += text;
    } else if (children > 0) {
      // Every value takes at least one byte: refuse a forged count before walking it.
      if (children > end - offset) return ScanFault.truncated;
      if (++depth > maxDepth) return ScanFault.depth;
      remaining[depth] = children;
      isMap[depth] = hasKeys;
    } else {
      offset += skip;
      if (offset > end) return ScanFault.truncated;
    }
  }
  return offset;
};

const isTextHead = (head: number): boolean => (head & 0xe0) === 0xa0 || (head >= 0xd9 && head <= 0xdb);

/** Bytes of the length field behind the heads 0xc0..0xdf. */
const LENGTH_BYTES = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4];
/** Bytes of a fixed-size value behind the heads 0xc0..0xdf: floats and integers. */
const FIXED_BYTES = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
