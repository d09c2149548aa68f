// Positions: where a client stands on a channel. Pure text <-> data; opaque to applications.
// Text form: KEY [~ EPOCH.SEQUENCE.TIME]*, numbers in base 36. Documented in docs/PROTOCOL.md, "Positions".
import { fail, ok, type Result } from './result.ts';

/** A position as it travels: opaque to applications, written and read only by this file and its kin. */
export type EncodedPosition = string & { readonly brand?: 'EncodedPosition' };

/** How far a channel was read in one stream. */
export interface PositionEntry {
  /** Short hash of the stream's name and creation time: which incarnation the sequence belongs to. */
  readonly epoch: string;
  readonly sequence: number;
  /** Store time of the event with that sequence in ms; 0 where no event vouches for the entry. */
  readonly timeMs: number;
}

export interface Position {
  /** Short hash of the resolved filters under which the position was earned. */
  readonly key: string;
  readonly entries: readonly PositionEntry[];
}

/** A position of 64 streams is far beyond any channel; the limit bounds what a client may make us parse. */
const MAX_POSITION_CHARS = 4_096;
const WORD = /^[A-Za-z0-9_-]{1,32}$/;
const NUMBER = /^(?:0|[1-9a-z][0-9a-z]{0,10})$/;

export const encodePosition = (position: Position): EncodedPosition => {
  let text = position.key;
  for (const { epoch, sequence, timeMs } of position.entries) {
    text += `~${epoch}.${sequence.toString(36)}.${timeMs.toString(36)}`;
  }
  return text;
};

/** Reads what a client sent. Never throws; `invalid_position` for anything that `encodePosition` cannot have made. */
export const parsePosition = (text: string): Result<Position, 'invalid_position'> => {
  if (text.length > MAX_POSITION_CHARS) return fail('invalid_position');
  const [key = '', ...parts] = text.split('~');
  if (!WORD.test(key)) return fail('invalid_position');
  const entries: PositionEntry[] = [];
  const seen = new Set<string>();
  for (const part of parts) {
    const [epoch = '', sequenceText = '', timeText = '', ...rest] = part.split('.');
    if (rest.length > 0 || !WORD.test(epoch) || !NUMBER.test(sequenceText) || !NUMBER.test(timeText)) {
      return fail('invalid_position');
    }
    const sequence = Number.parseInt(sequenceText, 36);
    const timeMs = Number.parseInt(timeText, 36);
    if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(timeMs) || seen.has(epoch)) {
      return fail('invalid_position');
    }
    seen.add(epoch);
    entries.push({ epoch, sequence, timeMs });
  }
  return ok({ key, entries });
};
