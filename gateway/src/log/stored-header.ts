// Pure. Reads what the server appended to a directly read message, byte by byte and from the end: producers can write
// headers of the same names, but only before the server's. This runs for every event of a cold read.
//
//   ...producer's headers...
//   Nats-Stream: ORDER
//   Nats-Subject: order.m-1.u-1.o-17.created
//   Nats-Sequence: 52
//   Nats-Time-Stamp: 2026-11-21T11:07:14.637989657Z
//   Nats-Num-Pending: 9198              batches only
//   Nats-Last-Sequence: 51              batches only: the message before it in this batch

import { storeTimeMs } from './message-bytes.ts';

const CR = 13;
const LF = 10;
const SPACE = 32;
const COLON = 58;
const POINT = 46;
const ZERO = 48;
/** "2026-11-21T11:07:14" */
const SECOND_LENGTH = 19;
const MAX_LINES = 12;

/** One reader is reused for all messages: fields hold until the next `read`. -1 or '' where a header is missing. */
export class StoredHeader {
  sequence = -1;
  timeMs = -1;
  subject = '';
  pending = -1;
  previous = -1;
  #second: Uint8Array = new Uint8Array(0);
  #secondMs = 0;

  /** False if the block has not the three headers that every stored message comes with. */
  read(block: Uint8Array): boolean {
    this.sequence = -1;
    this.timeMs = -1;
    this.subject = '';
    this.pending = -1;
    this.previous = -1;
    let end = block.length - 2; // before the CRLF that ends the block, which follows the CRLF of the last line
    for (let lines = 0; lines < MAX_LINES && end > 2; lines += 1) {
      if (block[end - 2] !== CR || block[end - 1] !== LF) return false;
      const valueEnd = end - 2;
      let start = valueEnd;
      while (start > 0 && block[start - 1] !== LF) start -= 1;
      // The server writes its stream header first: what comes before it is not the server's.
      if (this.#line(block, start, valueEnd)) break;
      end = start;
    }
    return this.sequence >= 0 && this.timeMs >= 0 && this.subject !== '';
  }

  /** Takes one line; true if it is the first of the server's. All names begin with "Nats-". */
  #line(block: Uint8Array, start: number, end: number): boolean {
    let colon = start + 5;
    while (colon < end && block[colon] !== COLON) colon += 1;
    let value = colon + 1;
    while (value < end && block[value] === SPACE) value += 1;
    const length = colon - start;
    const first = block[start + 5];
    // Told apart by length and first letter after "Nats-"; a header that is none of these has other ones, or is ignored.
    if (length === 18 && first === 76) this.previous = digits(block, value, end); // Nats-Last-Sequence
    else if (length === 16 && first === 78) this.pending = digits(block, value, end); // Nats-Num-Pending
    else if (length === 15 && first === 84) this.timeMs = this.#time(block, value, end); // Nats-Time-Stamp
    else if (length === 13 && first === 83) this.sequence = digits(block, value, end); // Nats-Sequence
    else if (length === 12 && first === 83) this.subject = textOf(block, value, end); // Nats-Subject
    else if (length === 11 && first === 83) return true; // Nats-Stream
    return false;
  }

  #time(block: Uint8Array, start: number, end: number): number {
    if (!this.#isSameSecond(block, start)) {
      this.#second = block.slice(start, start + SECOND_LENGTH);
      this.#secondMs = storeTimeMs(`${textOf(block, start, start + SECOND_LENGTH)}Z`);
    }
    if (Number.isNaN(this.#secondMs)) return -1;
    let ms = 0;
    if (block[start + SECOND_LENGTH] === POINT) {
      for (let at = start + SECOND_LENGTH + 1, scale = 100; scale >= 1; at += 1, scale /= 10) {
        const digit = at < end ? block[at]! - ZERO : -1;
        if (digit < 0 || digit > 9) break;
        ms += digit * scale;
      }
    }
    return this.#secondMs + ms;
  }

  /** Neighbours in a log are mostly of the same second, and parsing a date costs as much as all the rest. */
  #isSameSecond(block: Uint8Array, start: number): boolean {
    const second = this.#second;
    if (second.length !== SECOND_LENGTH) return false;
    for (let index = SECOND_LENGTH - 1; index >= 0; index -= 1) {
      if (second[index] !== block[start + index]) return false;
    }
    return true;
  }
}

function digits(block: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 16) return -1;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = block[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function textOf(block: Uint8Array, start: number, end: number): string {
  const bytes = Buffer.isBuffer(block) ? block : Buffer.from(block.buffer, block.byteOffset, block.length);
  return bytes.toString('utf8', start, end);
}
