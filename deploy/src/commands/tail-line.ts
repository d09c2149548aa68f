// How the viewer shows an event: one line, for people or as JSON. Pure.

/** `first`: of the snapshot or the start that was asked for. `caught_up`: missed while away. */
export type Arrival = 'first' | 'caught_up' | 'live';

export interface ViewedEvent {
  readonly channel: string;
  readonly type: string;
  readonly epoch: string;
  readonly sequence: number;
  readonly timeMs: number;
  readonly data: unknown;
}

const LABELS: Readonly<Record<Arrival, string>> = { first: 'first', caught_up: 'caught up', live: 'live' };
const LABEL_WIDTH = 9;
const SEQUENCE_WIDTH = 8;
const TYPE_WIDTH = 22;
const AGE_WIDTH = 10;

const DIM = '\x1b[2m';
const YELLOW = '\x1b[33m';
const CYAN = '\x1b[36m';
const RESET = '\x1b[0m';

/** `caught up      1234  order.status_changed      5012 ms  {"orderId":...}` */
export function toLine(event: ViewedEvent, arrival: Arrival, nowMs: number, isColoured: boolean): string {
  const paint = (colour: string, text: string): string => (isColoured ? `${colour}${text}${RESET}` : text);
  const label = LABELS[arrival].padEnd(LABEL_WIDTH);
  return [
    paint(arrival === 'caught_up' ? YELLOW : DIM, label),
    String(event.sequence).padStart(SEQUENCE_WIDTH),
    paint(CYAN, escapeControls(event.type).padEnd(TYPE_WIDTH)),
    paint(DIM, `${ageMs(event, nowMs)} ms`.padStart(AGE_WIDTH)),
    toJson(event.data),
  ].join('  ');
}

/** One object: what a line says, by name. */
export function toJsonLine(event: ViewedEvent, arrival: Arrival, nowMs: number): string {
  const { channel, epoch, sequence, type, timeMs, data } = event;
  return toJson({ channel, epoch, sequence, type, timeMs, ageMs: ageMs(event, nowMs), arrival, data });
}

/** Two clocks are involved, the server's and ours: a little before its time is now. */
const ageMs = ({ timeMs }: ViewedEvent, nowMs: number): number => Math.max(0, Math.round(nowMs - timeMs));

const toJson = (value: unknown): string => escapeControls(JSON.stringify(value, withBytes) ?? 'null');

/** msgpack has values that JSON lacks. */
const withBytes = (_: string, value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return typeof value === 'bigint' ? value.toString() : value;
};

// Payloads come from anybody: what a terminal would obey (C0, DEL, C1) or reorder (bidirectional controls) is shown as
// a JSON escape. JSON.stringify itself escapes only C0.
// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const escapeControls = (text: string): string =>
  text.replace(OBEYED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
