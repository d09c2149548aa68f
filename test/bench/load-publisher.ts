// Process entry: publishes the load to JetStream over a bare NATS connection, so that publishing costs as little of the
// machine as it can. Every event is proven stored: each acknowledged one must carry exactly the sequence that follows
// from the number of events published before it, so that one dropped by the server cannot go unnoticed.
import { type Socket, connect } from 'node:net';
import { nowMs } from './clock.ts';
import { createPayload, type LoadChannel, stampPayload, subjectOf, TYPES } from './load-event.ts';
import { strideOf } from './stride.ts';
import { serveWorker } from './worker.ts';

const INBOX = '_INBOX.bench';
const TICK_MS = 1;
const MAX_BURST = 2_000;
const ACK_EVERY = 50;

export interface SetupArgument {
  readonly host: string;
  readonly port: number;
  readonly channels: readonly LoadChannel[];
  readonly payloadBytes: number;
  /** Events that may be unacknowledged at once. */
  readonly maxInFlight: number;
}

export interface PublishArgument {
  /** Events in all; absent: until `stop`. */
  readonly count?: number;
  /** Absent: as fast as acknowledgements (and `allow`) let it. */
  readonly ratePerSecond?: number;
  /** Ask for the acknowledgement of each so-many-th event, and of the last of every burst. */
  readonly ackEvery?: number;
  /** Wait for `allow` before going beyond what was allowed. */
  readonly isGated?: boolean;
}

export interface Published {
  readonly events: number;
  readonly seconds: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** From the publish call to the acknowledgement, of each event that asked for one. */
  readonly ackLatenciesMs: Float64Array;
}

interface Message {
  readonly subject: string;
  readonly payload: Buffer;
}

interface Run {
  readonly argument: PublishArgument;
  readonly startedMs: number;
  readonly firstIndex: number;
  readonly latencies: number[];
  readonly resolve: (published: Published) => void;
  readonly reject: (error: Error) => void;
  isStopped: boolean;
}

let socket: Socket;
let setup: SetupArgument;
let messages: Message[][] = [];
let counters = new Uint32Array();
let stride = 1;
let published = 0;
let acknowledged = 0;
let firstSequence: number | undefined;
let lastSequence = 0;
let allowed = Number.POSITIVE_INFINITY;
let run: Run | undefined;
let received = '';
/** Publish times of the events whose acknowledgement is awaited, in order. */
const awaited: { index: number; atMs: number }[] = [];
let awaitedHead = 0;

const start = async (argument: SetupArgument): Promise<void> => {
  setup = argument;
  const { channels, payloadBytes } = setup;
  messages = channels.map((channel) =>
    TYPES.map((type) => ({ subject: subjectOf(channel, type), payload: createPayload(channel, type, payloadBytes) })),
  );
  counters = new Uint32Array(channels.length);
  stride = strideOf(channels.length);
  await new Promise<void>((resolve, reject) => {
    socket = connect({ host: setup.host, port: setup.port, noDelay: true }, resolve);
    socket.once('error', reject);
  });
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => onText(text));
  socket.on('error', (error) => run?.reject(error));
  socket.write(`CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\nSUB ${INBOX}.* 1\r\n`);
};

const onText = (text: string): void => {
  received += text;
  let at = 0;
  for (;;) {
    const end = received.indexOf('\r\n', at);
    if (end < 0) break;
    if (received.startsWith('MSG ', at)) {
      const bytes = Number(received.slice(received.lastIndexOf(' ', end) + 1, end));
      if (received.length < end + 2 + bytes + 2) break;
      onAck(received.slice(end + 2, end + 2 + bytes));
      at = end + 2 + bytes + 2;
      continue;
    }
    if (received.startsWith('PING', at)) socket.write('PONG\r\n');
    else if (received.startsWith('-ERR', at)) run?.reject(new Error(`nats-server: ${received.slice(at, end)}`));
    at = end + 2;
  }
  received = received.slice(at);
};

const onAck = (text: string): void => {
  const sequence = Number(/"seq":\s*(\d+)/.exec(text)?.[1] ?? Number.NaN);
  const { index, atMs } = awaited[awaitedHead++]!;
  if (awaitedHead === awaited.length) awaited.length = awaitedHead = 0;
  firstSequence ??= sequence - index;
  if (sequence !== firstSequence + index) {
    run?.reject(new Error(`event ${index} was stored as ${text}, expected sequence ${firstSequence + index}`));
  }
  lastSequence = sequence;
  acknowledged = index + 1;
  if (!run) return;
  run.latencies.push(nowMs() - atMs);
  if (run.isStopped) finishIfDone();
  else if (run.argument.ratePerSecond === undefined) pump();
};

/** Events that are due now. */
const due = ({ argument, startedMs, firstIndex }: Run): number => {
  const done = published - firstIndex;
  const { count = Number.POSITIVE_INFINITY, ratePerSecond } = argument;
  const onTime =
    ratePerSecond === undefined ? MAX_BURST : Math.floor(((nowMs() - startedMs) / 1_000) * ratePerSecond) - done;
  const room = setup.maxInFlight - (published - acknowledged);
  return Math.max(0, Math.min(onTime, count - done, room, allowed - published, MAX_BURST));
};

const pump = (): void => {
  if (!run || run.isStopped) return;
  const count = due(run);
  if (count > 0) publish(count, run.argument.ackEvery ?? ACK_EVERY);
  if (published - run.firstIndex === run.argument.count) {
    run.isStopped = true;
    finishIfDone();
  }
};

const publish = (count: number, ackEvery: number): void => {
  const { channels, payloadBytes } = setup;
  const target = Buffer.allocUnsafe(count * (payloadBytes + 128));
  let offset = 0;
  const atMs = nowMs();
  const last = published + count - 1;
  for (; published <= last; published++) {
    const channel = (published * stride) % channels.length;
    const counter = counters[channel]!++;
    const { subject, payload } = messages[channel]![counter % TYPES.length]!;
    // The last event of a burst always asks, so that a run's end is acknowledged.
    const isAsked = published % ackEvery === 0 || published === last;
    if (isAsked) awaited.push({ index: published, atMs });
    const reply = isAsked ? ` ${INBOX}.a` : '';
    offset += target.write(`PUB ${subject}${reply} ${payloadBytes}\r\n`, offset, 'latin1');
    target.set(payload, offset);
    stampPayload(target, offset, counter, atMs);
    offset += payloadBytes;
    target[offset++] = 13;
    target[offset++] = 10;
  }
  socket.write(target.subarray(0, offset));
};

const finishIfDone = (): void => {
  if (!run || acknowledged < published) return;
  const { startedMs, firstIndex, latencies, resolve } = run;
  run = undefined;
  resolve({
    events: published - firstIndex,
    seconds: (nowMs() - startedMs) / 1_000,
    firstSequence: (firstSequence ?? 1) + firstIndex,
    lastSequence,
    ackLatenciesMs: Float64Array.from(latencies),
  });
};

const publishRun = async (argument: PublishArgument): Promise<Published> => {
  if (run) throw new Error('a publish is under way');
  allowed = argument.isGated ? published : Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const result = new Promise<Published>((resolve, reject) => {
    run = { argument, startedMs: nowMs(), firstIndex: published, latencies: [], resolve, reject, isStopped: false };
  });
  if (argument.ratePerSecond === undefined) pump();
  else timer = setInterval(pump, TICK_MS);
  try {
    return await result;
  } finally {
    clearInterval(timer);
  }
};

export const handlers = {
  setup: start,
  publish: publishRun,
  /** Events from the first on, in all runs together. */
  allow: (upTo: number): void => {
    allowed = upTo;
    pump();
  },
  /** The run ends when what it has published is acknowledged. */
  stop: (): void => {
    if (!run) return;
    run.isStopped = true;
    finishIfDone();
  },
  published: (): number => published,
  /** Per channel, its place in a round: event n of channel c is number n * channels + places[c]. */
  places: (): Uint32Array => {
    const places = new Uint32Array(setup.channels.length);
    for (let i = 0; i < places.length; i++) places[(i * stride) % places.length] = i;
    return places;
  },
  /** Per channel, how many events it has had: the counter its next one will carry. */
  counters: (): Uint32Array => counters,
};

serveWorker(handlers);
