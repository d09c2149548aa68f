// Pure. The server's half of one WebSocket, in chunks of any size -> every event frame parsed by hand and counted, all
// other frames handed over whole. Knows the load's payloads (load-event.ts) by their fixed size; anything that does not
// fit is an error, never skipped.
import { scanMsgpack } from '@sluice/schemas';
import { COUNTER_OFFSET, isPayloadStart, TIME_OFFSET } from './load-event.ts';

export interface WireSink {
  onEvent(ref: number, sequence: number, timeMs: number, counter: number, publishedAtMs: number): void;
  /** A frame that is no event; `bytes` is only valid during the call. */
  onFrame(bytes: Buffer): void;
  /** Close, ping or pong of the WebSocket itself. */
  onControl(opcode: number, payload: Buffer): void;
}

/**
 * One receive buffer for all sockets of a process: what a socket left unread is put in front of its next chunk, so that
 * a frame is always contiguous.
 */
export const HEADROOM_BYTES = 16 * 1_024;

const EVENT_HEAD = 0x96;
const EVENT_CODE = 3;
const OPCODE_BINARY = 2;
const FIRST_CONTROL_OPCODE = 8;
const WIDE = 0x1_0000_0000;
/** Bytes of an unsigned integer, by its first byte minus 0xcc. */
const UNSIGNED_BYTES = [2, 3, 5, 9];

export class WireReader {
  readonly #sink: WireSink;
  readonly #payloadBytes: number;
  readonly #isVerified: boolean;
  /** Bytes of the current message that are still to come, or to be parsed. */
  #left = 0;
  #unread: Buffer | undefined;
  #at = 0;
  messages = 0;

  /** A verified reader also walks each event as msgpack and compares where it ends. */
  constructor(sink: WireSink, payloadBytes: number, isVerified: boolean) {
    this.#sink = sink;
    this.#payloadBytes = payloadBytes;
    this.#isVerified = isVerified;
  }

  /** The chunk lies at `buffer[HEADROOM_BYTES, HEADROOM_BYTES + length)`; the room before it may be written to. */
  read(buffer: Buffer, length: number): void {
    const unread = this.#unread;
    let start = HEADROOM_BYTES;
    if (unread !== undefined) {
      start -= unread.length;
      buffer.set(unread, start);
      this.#unread = undefined;
    }
    const end = HEADROOM_BYTES + length;
    const stop = this.#parse(buffer, start, end);
    if (stop < end) {
      if (end - stop > HEADROOM_BYTES) throw new Error(`a frame of more than ${HEADROOM_BYTES} bytes`);
      this.#unread = Buffer.from(buffer.subarray(stop, end));
    }
  }

  #parse(buffer: Buffer, start: number, end: number): number {
    let position = start;
    while (position < end) {
      if (this.#left === 0) {
        const next = this.#openMessage(buffer, position, end);
        if (next < 0) return position;
        position = next;
        continue;
      }
      const limit = Math.min(end, position + this.#left);
      const isEvent = buffer[position] === EVENT_HEAD && (position + 1 >= limit || buffer[position + 1] === EVENT_CODE);
      const next = isEvent ? this.#event(buffer, position, limit) : this.#other(buffer, position, limit);
      if (next < 0) {
        if (limit < end || position + this.#left === end)
          throw new Error('a frame is cut off by the end of its message');
        return position;
      }
      this.#left -= next - position;
      position = next;
    }
    return position;
  }

  /** Offset behind the head of a data message, or behind a whole control message; -1 if there is not enough yet. */
  #openMessage(buffer: Buffer, position: number, end: number): number {
    if (end - position < 2) return -1;
    const first = buffer[position]!;
    const second = buffer[position + 1]!;
    if ((first & 0xf0) !== 0x80 || second > 127) throw new Error(`not a whole, unmasked message: ${first} ${second}`);
    const opcode = first & 0x0f;
    const headBytes = second < 126 ? 2 : second === 126 ? 4 : 10;
    if (end - position < headBytes) return -1;
    const length =
      second < 126
        ? second
        : second === 126
          ? buffer.readUInt16BE(position + 2)
          : Number(buffer.readBigUInt64BE(position + 2));
    const body = position + headBytes;
    if (opcode >= FIRST_CONTROL_OPCODE) {
      if (end - body < length) return -1;
      this.#sink.onControl(opcode, buffer.subarray(body, body + length));
      return body + length;
    }
    if (opcode !== OPCODE_BINARY) throw new Error(`a message with opcode ${opcode}`);
    this.#left = length;
    this.messages++;
    return body;
  }

  /**
   * Fields behind `limit` are garbage, but reading them is harmless: offsets only grow, so the one check at the end
   * finds every frame that is not complete.
   */
  #event(buffer: Buffer, position: number, limit: number): number {
    this.#at = position + 2;
    const ref = this.#unsigned(buffer, limit);
    const sequence = this.#unsigned(buffer, limit);
    const timeMs = this.#unsigned(buffer, limit);
    const typeHead = buffer[this.#at]!;
    const payload = this.#at + (typeHead === 0xd9 ? 2 + buffer[this.#at + 1]! : 1 + (typeHead & 0x1f));
    const next = payload + this.#payloadBytes;
    if (!(next <= limit)) return -1;
    if (!isPayloadStart(buffer, payload)) throw new Error('an event that is not of this load, or a reader out of step');
    if (this.#isVerified && scanMsgpack(buffer, position, limit) !== next) throw new Error('an event of another size');
    this.#sink.onEvent(
      ref,
      sequence,
      timeMs,
      readWord(buffer, payload + COUNTER_OFFSET),
      buffer.readDoubleBE(payload + TIME_OFFSET),
    );
    return next;
  }

  #unsigned(buffer: Buffer, limit: number): number {
    const at = this.#at;
    const head = buffer[at]!;
    if (head < 0x80) {
      this.#at = at + 1;
      return head;
    }
    const width = UNSIGNED_BYTES[head - 0xcc];
    if (width === undefined) {
      if (at < limit) throw new Error(`not an unsigned integer: ${head}`);
      this.#at = limit + 1;
      return 0;
    }
    this.#at = at + width;
    if (width === 3) return (buffer[at + 1]! << 8) | buffer[at + 2]!;
    if (width === 5) return readWord(buffer, at + 1);
    return width === 2 ? buffer[at + 1]! : readWord(buffer, at + 1) * WIDE + readWord(buffer, at + 5);
  }

  #other(buffer: Buffer, position: number, limit: number): number {
    const next = scanMsgpack(buffer, position, limit);
    if (next >= 0) this.#sink.onFrame(buffer.subarray(position, next));
    else if (next !== -1) throw new Error(`not msgpack: fault ${next}`);
    return next;
  }
}

const readWord = (buffer: Buffer, at: number): number =>
  ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0;
