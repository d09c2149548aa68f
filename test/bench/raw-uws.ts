// Process entry: the ceilings. Plain uWebSockets.js with nothing behind it, made to send the frames that the gateway
// would send, to the same load clients: `publish` of single frames on one topic, and one `send` per socket.
import uWS from 'uWebSockets.js';
import { nowMs } from './clock.ts';
import { createFrame, createPayload, stampPayload, TYPES } from './load-event.ts';
import { strideOf } from './stride.ts';
import { serveWorker } from './worker.ts';

const TOPIC = 'hot';
/** Bytes that may wait in the slowest socket before the generator pauses: it must not skip or drown anybody. */
const MAX_BUFFERED_BYTES = 1_024 * 1_024;
const TICK_MS = 1;

const sockets: uWS.WebSocket<unknown>[] = [];
const app = uWS.App();
/** Per socket (or, for the topic, at 0) the counter of its next event. */
let counters = new Uint32Array(0);
let sequence = 0;
let payloadBytes = 150;

interface Frame {
  readonly bytes: Buffer;
  readonly payloadAt: number;
}

let frames: Frame[] = [];
const SEQUENCE_AT = 4;
/** Above this a sequence takes five bytes, at a fixed place behind a one-byte ref. */
const FIRST_SEQUENCE = 0x1_0000;

const listen = (argument: { payloadBytes: number }): Promise<number> => {
  ({ payloadBytes } = argument);
  sequence = FIRST_SEQUENCE;
  frames = TYPES.map((type) => {
    const payload = createPayload({ orderId: 'o-hot', userId: 'u-hot' }, type, payloadBytes);
    const { frame, payloadAt } = createFrame(payload, type, FIRST_SEQUENCE);
    return { bytes: frame, payloadAt };
  });
  app.ws('/*', {
    maxBackpressure: 0,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    open: (socket) => {
      sockets.push(socket);
      socket.subscribe(TOPIC);
    },
    message: () => {},
    close: (socket) => {
      sockets.splice(sockets.indexOf(socket), 1);
    },
  });
  return new Promise((resolve) => {
    app.listen('127.0.0.1', 0, (token) => {
      resolve(token ? uWS.us_socket_local_port(token) : -1);
    });
  });
};

const nextFrame = (index: number): Buffer => {
  counters = counters.length === sockets.length ? counters : new Uint32Array(sockets.length);
  const counter = counters[index]!++;
  const { bytes, payloadAt } = frames[counter % frames.length]!;
  bytes.writeUInt32BE(sequence++, SEQUENCE_AT);
  stampPayload(bytes, payloadAt, counter, nowMs());
  return bytes;
};

export interface RawRun {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const measured = async (work: (isOver: () => boolean) => Promise<number>, durationMs: number): Promise<RawRun> => {
  const startedMs = nowMs();
  const before = process.cpuUsage();
  const events = await work(() => nowMs() - startedMs >= durationMs);
  while (Math.max(...sockets.map((socket) => socket.getBufferedAmount())) > 0) await nextTurn();
  const { user, system } = process.cpuUsage(before);
  return { events, seconds: (nowMs() - startedMs) / 1_000, cpuSeconds: (user + system) / 1e6 };
};

const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

export const handlers = {
  listen,
  sockets: (): number => sockets.length,
  /** As fast as it goes, in bursts between which uWS drains its topic. */
  publish: ({ durationMs, burst }: { durationMs: number; burst: number }): Promise<RawRun> =>
    measured(async (isOver) => {
      let events = 0;
      while (!isOver()) {
        if (sockets.some((socket) => socket.getBufferedAmount() > MAX_BUFFERED_BYTES)) {
          await nextTurn();
          continue;
        }
        for (let i = 0; i < burst; i++) app.publish(TOPIC, nextFrame(0), true, false);
        events += burst;
        await nextTurn();
      }
      return events;
    }, durationMs),
  /** Single sends at a rate, round the sockets, in the order in which the publisher goes round the channels. */
  send: ({ durationMs, ratePerSecond }: { durationMs: number; ratePerSecond: number }): Promise<RawRun> =>
    measured(async (isOver) => {
      const startedMs = nowMs();
      const stride = strideOf(sockets.length);
      let events = 0;
      await new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          const due = Math.floor(((nowMs() - startedMs) / 1_000) * ratePerSecond);
          for (; events < due; events++) {
            const index = (events * stride) % sockets.length;
            sockets[index]!.send(nextFrame(index), true, false);
          }
          if (!isOver()) return;
          clearInterval(timer);
          resolve();
        }, TICK_MS);
      });
      return events;
    }, durationMs),
};

serveWorker(handlers);
