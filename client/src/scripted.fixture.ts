// For tests: time moved by hand, and a gateway that says what the test tells it to.
import {
  decodeWire,
  encodeFrame,
  parseUp,
  type DownFrame,
  type Encoding,
  type StreamRefs,
  type UpFrame,
} from '@sluice/schemas';
import type { Clock } from './clock.ts';
import { joinFrames } from './message.ts';
import type { Transport, TransportHandlers } from './transports/transport.ts';

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; undefined if none is set. */
  get nextMs(): number | undefined {
    return this.#timers.size > 0 ? Math.min(...[...this.#timers].map(({ dueMs }) => dueMs)) - this.#nowMs : undefined;
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs);
      if (!next) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = untilMs;
  }

  /** The wall clock moves and no timer fires: a device that slept, or whose clock was set. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }
}

/** One connection, seen from the gateway's side. */
export class ScriptedLink {
  readonly messages: (Uint8Array | string)[] = [];
  readonly subprotocol: string;
  closedByClient: number | undefined;
  bufferedBytes = 0;
  readonly #handlers: TransportHandlers;
  readonly #encoding: Encoding;
  #isClosed = false;

  constructor(handlers: TransportHandlers, subprotocol: string) {
    this.#handlers = handlers;
    this.subprotocol = subprotocol;
    this.#encoding = subprotocol.endsWith('json') ? 'json' : 'msgpack';
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.closedByClient === undefined;
  }

  /** All frames that the client has sent on this connection. */
  get received(): UpFrame[] {
    return this.messages.flatMap((message) => {
      const decoded = decodeWire(message, this.#encoding);
      if (!decoded.ok) throw new Error('the client sent bytes that are no frames');
      return decoded.value.map((wire) => {
        const frame = parseUp(wire);
        if (frame.kind === 'invalid') throw new Error(`the client sent a wrong frame: ${frame.message}`);
        return frame;
      });
    });
  }

  /** The newest frame of a kind; throws where there is none. */
  last<K extends UpFrame['kind']>(kind: K): Extract<UpFrame, { kind: K }> {
    const frame = this.received.findLast((each) => each.kind === kind);
    if (!frame) throw new Error(`the client has sent no ${kind}`);
    return frame as Extract<UpFrame, { kind: K }>;
  }

  open(): void {
    this.#handlers.opened();
  }

  /** Frames of one WebSocket message. */
  send(...frames: DownFrame[]): void {
    if (!this.isOpen) return;
    const bytes = joinFrames(frames.map((frame) => encodeFrame(frame, this.#encoding)));
    this.#handlers.message(this.#encoding === 'json' ? new TextDecoder().decode(bytes) : bytes);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#handlers.message(bytes);
  }

  close(code: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.closed(code, '');
  }

  /** Transport side. */
  takeFromClient(message: Uint8Array | string): void {
    this.messages.push(message);
  }
}

export class ScriptedGateway {
  readonly links: ScriptedLink[] = [];
  readonly urls: string[] = [];

  readonly transport: Transport = ({ url, subprotocol }, handlers) => {
    const link = new ScriptedLink(handlers, subprotocol);
    this.links.push(link);
    this.urls.push(url);
    return {
      send: (message) => link.takeFromClient(message),
      close: (code) => void (link.closedByClient = code),
      get bufferedBytes() {
        return link.bufferedBytes;
      },
    };
  };

  /** The newest connection. */
  get link(): ScriptedLink {
    const link = this.links.at(-1);
    if (!link) throw new Error('the client has not connected');
    return link;
  }

  /** Opens the newest connection and welcomes the client on it. */
  welcome(options: { readonly pingIntervalMs?: number; readonly expiresInMs?: number } = {}): ScriptedLink {
    const { link } = this;
    link.open();
    link.send(welcome(options));
    return link;
  }
}

export const welcome = ({
  pingIntervalMs = 25_000,
  expiresInMs,
}: { readonly pingIntervalMs?: number; readonly expiresInMs?: number } = {}): DownFrame => ({
  kind: 'welcome',
  version: 1,
  connectionId: 'c-1',
  pingIntervalMs,
  subject: 'u-1',
  limits: { maxFrameBytes: 1_000_000, maxSubscriptions: 100 },
  ...(expiresInMs !== undefined && { expiresInMs }),
});

/** Answers a subscribe; without a position the cursor of no stream is known yet. */
export const subscribed = (
  id: number,
  channel: string,
  options: { readonly streams?: StreamRefs; readonly position?: string; readonly recovered?: boolean } = {},
): DownFrame => ({
  kind: 'subscribed',
  id,
  channel,
  streams: options.streams ?? [[1, 'e1']],
  position: options.position ?? 'k',
  recovered: options.recovered ?? false,
});

export const event = (ref: number, sequence: number, type = 'order.status_changed'): DownFrame => ({
  kind: 'event',
  ref,
  sequence,
  timeMs: 1_000 + sequence,
  type,
  data: { sequence },
});
