// Frames <-> bytes, for both encodings. A message is one or more frames back to back (msgpack) or one a line (JSON).
// Never throws on input: what a peer sends comes back as a Result.
import { Packr, Unpackr } from 'msgpackr';
import { DOWN_FRAMES, type DownFrame } from './down.ts';
import { event, type Event } from './frames/event.ts';
import { fromWire, toWire, type FrameDefinition } from './frames/frame.ts';
import { isShallowJson } from './json-scan.ts';
import { MAX_DEPTH, scanMsgpack } from './msgpack-scan.ts';
import { fail, ok, type Result } from './result.ts';
import { UP_FRAMES, type UpFrame } from './up.ts';
import type { Encoding } from './version.ts';

// Plain maps, no msgpackr records (an extension other languages do not read); 64-bit integers become numbers, exact up
// to 2^53, which covers sequences and milliseconds.
const packr = new Packr({ useRecords: false, int64AsType: 'number', moreTypes: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number', mapsAsObjects: true });
const text = new TextEncoder();
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** An event's data may nest as deep as its payload did, and the frame is one level around it. */
const MAX_FRAME_DEPTH = MAX_DEPTH + 1;

const byKind = new Map<string, FrameDefinition>([...UP_FRAMES, ...DOWN_FRAMES].map((frame) => [frame.kind, frame]));
const downByCode = new Map<number, FrameDefinition>(DOWN_FRAMES.map((frame) => [frame.code, frame]));

/** Bytes of one value in msgpack, as events travel. The result is the caller's to keep. */
export const packValue = (value: unknown): Uint8Array => packr.pack(value) as Uint8Array;

/**
 * The value of a range of bytes that `scanMsgpack` has accepted. Throws on others. A range of a long-lived buffer is
 * cheaper than a view of it: msgpackr keeps what it needs with the buffer.
 */
export const unpackValue = (bytes: Uint8Array, start: number = 0, end: number = bytes.length): unknown => {
  range.start = start;
  range.end = end;
  return unpackr.unpack(bytes as Parameters<typeof unpackr.unpack>[0], range);
};
const range = { start: 0, end: 0 };

/** Bytes of one frame. JSON frames end in a newline, so that frames of either encoding may simply be joined. */
export const encodeFrame = (frame: UpFrame | DownFrame, encoding: Encoding): Uint8Array => {
  const definition = byKind.get(frame.kind)!;
  const wire = toWire(definition, frame);
  return encoding === 'msgpack' ? packValue(wire) : text.encode(`${JSON.stringify(wire)}\n`);
};

/**
 * Splits a message into the wire arrays of its frames and decodes them. `bad_frame` if any byte of it is not well
 * formed: nesting deeper than 33, invalid UTF-8, unknown extensions, trailing bytes, or an element that is no frame; and
 * if it has more than `maxFrames`, before the rest is looked at.
 */
export const decodeWire = (
  message: Uint8Array | string,
  encoding: Encoding,
  maxFrames: number = Number.POSITIVE_INFINITY,
): Result<readonly (readonly unknown[])[], 'bad_frame'> => {
  try {
    const frames = encoding === 'msgpack' ? splitMsgpack(toBytes(message), maxFrames) : splitJson(message, maxFrames);
    return frames !== undefined && frames.every(isFrame) ? ok(frames) : fail('bad_frame');
  } catch {
    // JSON.parse, TextDecoder and msgpackr throw on what the scans let through; to the caller it is all the same.
    return fail('bad_frame');
  }
};

/** Frames that a gateway sent. The gateway is trusted to keep its own schema; unknown kinds of a newer one are skipped. */
export const decodeDown = (message: Uint8Array | string, encoding: Encoding): Result<DownFrame[], 'bad_frame'> => {
  const decoded = decodeWire(message, encoding);
  if (!decoded.ok) return decoded;
  const frames: DownFrame[] = [];
  for (const wire of decoded.value) {
    if (wire[0] === event.code) frames.push(toEvent(wire));
    else {
      const definition = downByCode.get(wire[0] as number);
      if (definition) frames.push(fromWire(definition, wire) as unknown as DownFrame);
    }
  }
  return ok(frames);
};

const toEvent = (wire: readonly unknown[]): Event => ({
  kind: 'event',
  ref: wire[1] as number,
  sequence: wire[2] as number,
  timeMs: wire[3] as number,
  type: wire[4] as string,
  data: wire[5],
});

const isFrame = (value: unknown): value is readonly unknown[] => Array.isArray(value) && typeof value[0] === 'number';

const toBytes = (message: Uint8Array | string): Uint8Array =>
  typeof message === 'string' ? text.encode(message) : message;

const splitMsgpack = (bytes: Uint8Array, maxFrames: number): unknown[][] | undefined => {
  const frames: unknown[][] = [];
  for (let offset = 0; offset < bytes.length;) {
    if (frames.length >= maxFrames) return undefined;
    const end = scanMsgpack(bytes, offset, bytes.length, MAX_FRAME_DEPTH);
    if (end < 0) return undefined;
    frames.push(unpackValue(bytes.subarray(offset, end)) as unknown[]);
    offset = end;
  }
  return frames.length > 0 ? frames : undefined;
};

const splitJson = (message: Uint8Array | string, maxFrames: number): unknown[][] | undefined => {
  if (!isShallowJson(toBytes(message), MAX_FRAME_DEPTH)) return undefined;
  const lines = (typeof message === 'string' ? message : strictText.decode(message)).split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.length > 0 && lines.length <= maxFrames ? lines.map((line) => JSON.parse(line) as unknown[]) : undefined;
};
