// Speaks the wire protocol frame by frame, without the SDK: for tests of what exactly is on the wire. Decodes with the
// schemas' codec; its idea of a position is its own.
import { type DownFrame, type Encoding, type UpFrame, SUBPROTOCOLS, decodeDown, encodeFrame } from '@sluice/schemas';
import { PROTOCOL_VERSION, encodePosition, parsePosition } from '@sluice/schemas';
import { eventually, within } from './eventually.ts';
import { RawClient } from './raw-client.ts';
import { Recorder } from './recorder.ts';

export interface FrameClientOptions {
  url: string;
  /** Absent: the connection is left without a hello. */
  token?: string;
  encoding?: Encoding;
  recorder?: Recorder;
  headers?: Record<string, string>;
}

type FrameOfKind<Kind extends DownFrame['kind']> = Extract<DownFrame, { kind: Kind }>;

interface KnownPosition {
  key: string;
  entries: Map<string, { sequence: number; timeMs: number }>;
}

export class FrameClient implements Disposable {
  readonly raw: RawClient;
  readonly encoding: Encoding;
  readonly recorder: Recorder;
  /** Every frame but events, which the recorder keeps. */
  readonly frames: Exclude<DownFrame, FrameOfKind<'event'>>[] = [];
  readonly #record: (frame: DownFrame) => void;
  readonly #positions = new Map<string, KnownPosition>();
  readonly #refs = new Map<number, { channel: string; epoch: string }>();
  readonly #waiting = new Set<() => void>();
  #lastId = 0;
  #isPonging = true;

  private constructor(raw: RawClient, options: FrameClientOptions) {
    this.raw = raw;
    this.encoding = options.encoding ?? 'json';
    this.recorder = options.recorder ?? new Recorder('frames');
    this.#record = this.recorder.frames();
    raw.onMessage(({ bytes }) => this.#onMessage(bytes));
    void raw.closed.then(() => this.#wakeAll());
  }

  /** Connects; with a token also says hello and waits for the welcome. */
  static async open(options: FrameClientOptions): Promise<FrameClient> {
    const subprotocol = SUBPROTOCOLS[options.encoding ?? 'json'];
    const headers = options.headers === undefined ? {} : { headers: options.headers };
    const client = new FrameClient(await RawClient.connect(options.url, { subprotocol, ...headers }), options);
    if (options.token !== undefined) {
      client.hello(options.token);
      await client.next('welcome');
    }
    return client;
  }

  hello(token?: string): void {
    this.send({ kind: 'hello', version: PROTOCOL_VERSION, ...(token === undefined ? {} : { token }) });
  }

  send(...frames: UpFrame[]): void {
    const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame, this.encoding)));
    this.raw.send(this.encoding === 'json' ? bytes.toString() : bytes);
  }

  /** Sends a subscribe and returns its request id. */
  subscribe(channel: string, options: { position?: string; first?: unknown } = {}): number {
    const id = this.nextId();
    this.send({ kind: 'subscribe', id, channel, ...options } as UpFrame);
    return id;
  }

  /** Subscribes and waits until the channel is live. */
  async subscribeUntilLive(channel: string, options: { position?: string; first?: unknown } = {}): Promise<void> {
    this.subscribe(channel, options);
    await eventually(() => this.recorder.isLive(channel), { what: `${channel} live` });
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** The oldest frame of the kind that was not taken yet; rejects when the connection ends or time is up. */
  async next<Kind extends Exclude<DownFrame['kind'], 'event'>>(
    kind: Kind,
    matches: (frame: FrameOfKind<Kind>) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<FrameOfKind<Kind>> {
    const find = async (): Promise<FrameOfKind<Kind>> => {
      for (;;) {
        const index = this.frames.findIndex((frame) => frame.kind === kind && matches(frame as FrameOfKind<Kind>));
        if (index >= 0) return this.frames.splice(index, 1)[0] as FrameOfKind<Kind>;
        if (!this.raw.isOpen) {
          const { code, reason } = await this.raw.closed;
          throw new Error(`closed with ${code} ${reason} while waiting for ${kind}`);
        }
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    };
    return await within(find(), timeoutMs, `no ${kind} frame; have ${this.frames.map((one) => one.kind).join(', ')}`);
  }

  /** Where the channel stands: what a client would send to resume. */
  positionOf(channel: string): string | undefined {
    const known = this.#positions.get(channel);
    if (!known) return undefined;
    const entries = [...known.entries].map(([epoch, entry]) => ({ epoch, ...entry }));
    return encodePosition({ key: known.key, entries });
  }

  /** Leaves pings without an answer, as a dead peer would. */
  stopPonging(): void {
    this.#isPonging = false;
  }

  [Symbol.dispose](): void {
    this.raw.destroy();
  }

  #onMessage(bytes: Buffer): void {
    const decoded = decodeDown(this.encoding === 'json' ? bytes.toString() : bytes, this.encoding);
    if (!decoded.ok) throw new Error(`the gateway sent a message that is no frames: ${bytes.toString('latin1')}`);
    for (const frame of decoded.value) this.#onFrame(frame);
    this.#wakeAll();
  }

  #onFrame(frame: DownFrame): void {
    this.#record(frame);
    if (frame.kind === 'event') {
      const { channel, epoch } = this.#refs.get(frame.ref)!;
      this.#positions.get(channel)!.entries.set(epoch, { sequence: frame.sequence, timeMs: frame.timeMs });
      return;
    }
    this.frames.push(frame);
    if (frame.kind === 'ping' && this.#isPonging) this.send({ kind: 'pong' });
    if (frame.kind === 'subscribed' || frame.kind === 'reset') {
      for (const [ref, epoch] of frame.streams) this.#refs.set(ref, { channel: frame.channel, epoch });
    }
    if (frame.kind === 'subscribed' || frame.kind === 'reset' || frame.kind === 'live') {
      this.#positions.set(frame.channel, toKnown(frame.position));
    }
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

function toKnown(text: string): KnownPosition {
  const parsed = parsePosition(text);
  if (!parsed.ok) throw new Error(`the gateway sent the position ${text}`);
  const entries = parsed.value.entries.map(
    ({ epoch, sequence, timeMs }) => [epoch, { sequence, timeMs }] as [string, { sequence: number; timeMs: number }],
  );
  return { key: parsed.value.key, entries: new Map(entries) };
}
