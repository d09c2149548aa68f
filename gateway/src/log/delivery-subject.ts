// Pure. Reads sequences and store time out of the reply subject of a delivered message, byte by byte: this runs for every
// event a pod reads. Producers can forge headers but not this subject.
//
//   $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time ns>.<pending>
//   $JS.ACK.<domain>.<account hash>.<stream>.<consumer>.<delivered>.<...>.<pending>.<token>     (default since 2.15)

const DOT = 46;
const ZERO = 48;
const SHORT_TOKENS = 9;
const LONG_TOKENS = 11; // without the token at the end, which some versions leave out
const NS_DIGITS_BELOW_MS = 6;

/** "$JS.ACK." in bytes. */
const ACK_PREFIX = [36, 74, 83, 46, 65, 67, 75, 46] as const;

/** Of one consumer: what comes before the numbers has the same length in each of its subjects. */
export class DeliverySubject {
  sequence = 0;
  consumerSequence = 0;
  /** Store time, in whole milliseconds. */
  timeMs = 0;
  pending = 0;
  #numbersAt = 0;

  /** Fills the fields and returns true, or returns false for anything that is not the reply subject of a delivery. */
  parse(subject: Uint8Array): boolean {
    if (this.#numbersAt === 0) {
      this.#numbersAt = numbersAt(subject);
      if (this.#numbersAt === 0) return false;
    }
    const length = subject.length;
    let at = this.#numbersAt;
    if (at >= length || subject[at - 1] !== DOT || subject[1] !== 74 || subject[4] !== 65) return false;

    while (at < length && subject[at] !== DOT) at += 1; // delivered: always 1 for ack none
    at += 1;

    let value = 0;
    let byte = 0;
    for (; at < length && (byte = subject[at]!) !== DOT; at += 1) {
      if (byte < ZERO || byte > 57) return false;
      value = value * 10 + (byte - ZERO);
    }
    this.sequence = value;
    at += 1;

    value = 0;
    for (; at < length && (byte = subject[at]!) !== DOT; at += 1) {
      if (byte < ZERO || byte > 57) return false;
      value = value * 10 + (byte - ZERO);
    }
    this.consumerSequence = value;
    at += 1;

    let end = at + 19; // the usual width until the year 2286
    if (subject[end] !== DOT) {
      end = at;
      while (end < length && subject[end] !== DOT) end += 1;
    }
    value = 0;
    for (const msEnd = end - NS_DIGITS_BELOW_MS; at < msEnd; at += 1) {
      byte = subject[at]!;
      if (byte < ZERO || byte > 57) return false;
      value = value * 10 + (byte - ZERO);
    }
    this.timeMs = value;
    at = end + 1;
    if (at >= length) return false;

    value = 0;
    for (; at < length && (byte = subject[at]!) !== DOT; at += 1) {
      if (byte < ZERO || byte > 57) return false;
      value = value * 10 + (byte - ZERO);
    }
    this.pending = value;
    return this.sequence > 0 && this.consumerSequence > 0;
  }
}

/** Offset of <delivered>, or 0. Stream, consumer and domain names cannot contain dots. */
function numbersAt(subject: Uint8Array): number {
  for (let index = 0; index < ACK_PREFIX.length; index += 1) {
    if (subject[index] !== ACK_PREFIX[index]) return 0;
  }
  let dots = 0;
  for (const byte of subject) if (byte === DOT) dots += 1;
  const tokens = dots + 1;
  if (tokens !== SHORT_TOKENS && tokens < LONG_TOKENS) return 0;
  let skip = tokens === SHORT_TOKENS ? 4 : 6;
  let at = 0;
  while (skip > 0 && at < subject.length) {
    if (subject[at] === DOT) skip -= 1;
    at += 1;
  }
  return at;
}
