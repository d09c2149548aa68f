// One raw WebSocket of a load client: upgrade, hello with its subscriptions, then counting. Everything it may send is
// encoded before it connects. Checks per subscription that counters and sequences rise without gap or repetition.
import { type Socket, connect } from 'node:net';
import {
  decodeDown,
  encodeFrame,
  encodePosition,
  parsePosition,
  PROTOCOL_VERSION,
  SUBPROTOCOLS,
} from '@sluice/schemas';
import type { DownFrame, FirstEvents, PositionEntry, UpFrame } from '@sluice/schemas';
import { nowMs } from './clock.ts';
import { HEADROOM_BYTES, WireReader, type WireSink } from './wire-reader.ts';

export interface SubscriptionPlan {
  readonly channel: string;
  readonly first?: FirstEvents;
  readonly position?: string;
  /** Counter that the next event must carry; absent: whatever comes first is right. */
  readonly next?: number;
  /** Counter at which the subscription is caught up. */
  readonly until?: number;
}

export interface SocketPlan {
  /** Absent: a raw ceiling server, which is sent nothing. */
  readonly token?: string;
  readonly subscriptions: readonly SubscriptionPlan[];
}

export type Goal = 'upgraded' | 'welcomed' | 'live' | 'caught up';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** First three bytes of the source addresses. */
  readonly sourceNetwork: string;
  readonly payloadBytes: number;
}

/** What the sockets of one set have seen together. */
export interface Counts {
  events: number;
  messages: number;
  bytes: number;
  lost: number;
  duplicated: number;
  /** Events whose stream sequence did not rise. */
  disordered: number;
  upgraded: number;
  welcomed: number;
  live: number;
  reached: number;
  closed: number;
  resets: Record<string, number>;
  errors: Record<string, number>;
}

/** What a socket needs of its set. */
export interface Surroundings {
  readonly counts: Counts;
  readonly goal: Goal;
  readonly isSlow: boolean;
  onUpgraded(): void;
  onReached(): void;
  onLatency: ((latencyMs: number) => void) | undefined;
}

interface Subscription {
  readonly plan: SubscriptionPlan;
  /** The newest `subscribed`, `live` or `reset`; decoded only when somebody asks for the position. */
  streams: Buffer | undefined;
  standing: Buffer | undefined;
  isLive: boolean;
  ref: number;
  next: number;
  sequence: number;
  timeMs: number;
}

const SOURCE_ADDRESSES = 8;
/** One socket in so many also walks every event as msgpack. */
const VERIFY_EVERY = 50;
const SLOW_READ_BYTES = 1_024;
const READ_BYTES = 256 * 1_024;
const fastBuffer = Buffer.alloc(HEADROOM_BYTES + READ_BYTES);
const slowBuffer = Buffer.alloc(HEADROOM_BYTES + SLOW_READ_BYTES);
const fastRoom = fastBuffer.subarray(HEADROOM_BYTES);
const slowRoom = slowBuffer.subarray(HEADROOM_BYTES);
const UPGRADE_END = Buffer.from('\r\n\r\n');
const UPGRADED = Buffer.from('HTTP/1.1 101');
const MAX_RESPONSE_BYTES = 4_096;
const EMPTY = Buffer.alloc(0);
const WELCOME = 1;
const SUBSCRIBED = 2;
const LIVE = 4;
const CLOSE_OPCODE = 8;
const PING_OPCODE = 9;

export class LoadSocket implements WireSink {
  readonly #target: Target;
  readonly #sourceAddress: string;
  readonly #around: Surroundings;
  readonly #hello: Buffer | undefined;
  readonly #subscriptions: Subscription[];
  readonly #byRef = new Map<number, Subscription>();
  readonly #reader: WireReader;
  #socket: Socket | undefined;
  #response = EMPTY;
  #isUpgraded = false;
  #hasReached = false;
  #isDropped = false;

  constructor(plan: SocketPlan, target: Target, around: Surroundings, index: number) {
    this.#target = target;
    this.#sourceAddress = `${target.sourceNetwork}.${1 + (index % SOURCE_ADDRESSES)}`;
    this.#around = around;
    this.#reader = new WireReader(this, target.payloadBytes, index % VERIFY_EVERY === 0);
    this.#hello = plan.token === undefined ? undefined : encodeHello(plan.token, plan.subscriptions);
    this.#subscriptions = plan.subscriptions.map((subscription) => ({
      plan: subscription,
      streams: undefined,
      standing: undefined,
      isLive: false,
      ref: -1,
      next: subscription.next ?? -1,
      sequence: 0,
      timeMs: 0,
    }));
  }

  connect(): void {
    const { host, port } = this.#target;
    this.#socket = connect({
      host,
      port,
      localAddress: this.#sourceAddress,
      noDelay: true,
      onread: {
        buffer: () => (this.#around.isSlow ? slowRoom : fastRoom),
        callback: (length, room) => this.#onChunk(length, room === (slowRoom as Uint8Array) ? slowBuffer : fastBuffer),
      },
    });
    this.#socket.on('connect', () => this.#socket!.write(upgradeRequest(host)));
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      count(this.#around.counts.errors, `socket ${error.code}`),
    );
    this.#socket.on('close', () => {
      if (!this.#isDropped) this.#around.counts.closed++;
    });
  }

  /** Cuts the connection without a word, as a phone in a tunnel does. */
  drop(): void {
    this.#isDropped = true;
    this.#socket?.resetAndDestroy();
  }

  /** A slow socket reads one small chunk per call. */
  resume(): void {
    this.#socket?.resume();
  }

  get next(): number {
    return this.#subscriptions[0]!.next;
  }

  /** Where each subscription stands, as an SDK would keep it: the newest of what was told and what was received. */
  plans(): SubscriptionPlan[] {
    return this.#subscriptions.map(({ plan, next, ...seen }) => ({
      channel: plan.channel,
      position: positionOf(seen),
      ...(next >= 0 && { next }),
    }));
  }

  #onChunk(length: number, buffer: Buffer): boolean {
    this.#around.counts.bytes += length;
    if (this.#isUpgraded) this.#reader.read(buffer, length);
    else this.#onUpgrade(buffer, length);
    return !this.#around.isSlow;
  }

  #onUpgrade(buffer: Buffer, length: number): void {
    const chunkEnd = HEADROOM_BYTES + length;
    const response = Buffer.concat([this.#response, buffer.subarray(HEADROOM_BYTES, chunkEnd)]);
    const end = response.indexOf(UPGRADE_END);
    if (end < 0 && response.length < MAX_RESPONSE_BYTES) {
      this.#response = response;
      return;
    }
    if (end < 0 || !response.subarray(0, UPGRADED.length).equals(UPGRADED)) {
      throw new Error(`no upgrade: ${response.toString('latin1', 0, 200)}`);
    }
    this.#response = EMPTY;
    this.#isUpgraded = true;
    this.#around.counts.upgraded++;
    // Not in the packet of the upgrade request: uWebSockets.js loses frames that come with it.
    if (this.#hello) this.#socket!.write(this.#hello);
    this.#around.onUpgraded();
    this.#reach('upgraded');
    const rest = response.length - end - UPGRADE_END.length;
    if (rest > 0) {
      buffer.copyWithin(HEADROOM_BYTES, chunkEnd - rest, chunkEnd);
      this.#reader.read(buffer, rest);
    }
  }

  onEvent(ref: number, sequence: number, timeMs: number, counter: number, publishedAtMs: number): void {
    const { counts, onLatency } = this.#around;
    counts.events++;
    const subscription = this.#subscriptions.length === 1 ? this.#subscriptions[0]! : this.#byRef.get(ref);
    if (!subscription) throw new Error(`an event with ref ${ref}, which no subscription has`);
    if (counter === subscription.next) subscription.next = counter + 1;
    else if (counter > subscription.next) {
      if (subscription.next >= 0) counts.lost += counter - subscription.next;
      subscription.next = counter + 1;
    } else counts.duplicated++;
    if (sequence <= subscription.sequence) counts.disordered++;
    if (ref !== subscription.ref && subscription.ref >= 0) throw new Error('the load is published to one stream only');
    subscription.ref = ref;
    subscription.sequence = sequence;
    subscription.timeMs = timeMs;
    if (onLatency !== undefined) onLatency(nowMs() - publishedAtMs);
    if (subscription.next === subscription.plan.until) this.#checkGoal();
  }

  onFrame(bytes: Buffer): void {
    const { counts } = this.#around;
    const code = bytes[1];
    if (code === WELCOME) {
      counts.welcomed++;
      this.#reach('welcomed');
    } else if (this.#subscriptions.length === 1 && (code === SUBSCRIBED || code === LIVE)) {
      // The usual case is kept cheap: thousands of these arrive while the clock runs.
      const subscription = this.#subscriptions[0]!;
      if (code === SUBSCRIBED) subscription.streams = Buffer.from(bytes);
      else this.#onLive(subscription);
      subscription.standing = Buffer.from(bytes);
    } else {
      const decoded = decodeDown(bytes, 'msgpack');
      if (!decoded.ok) throw new Error('a frame that cannot be decoded');
      for (const frame of decoded.value) this.#onDecoded(frame, bytes);
    }
  }

  #onDecoded(frame: DownFrame, bytes: Buffer): void {
    const { counts } = this.#around;
    if (frame.kind === 'error') count(counts.errors, `${frame.code} (${frame.message})`);
    else if (frame.kind === 'unsubscribed') count(counts.errors, `unsubscribed ${frame.code}`);
    else if (frame.kind === 'ping') this.#socket!.write(PONG);
    if (frame.kind !== 'subscribed' && frame.kind !== 'live' && frame.kind !== 'reset') return;
    const subscription = this.#subscriptions.find(({ plan }) => plan.channel === frame.channel);
    if (!subscription) throw new Error(`${frame.kind} of ${frame.channel}, which was not asked for`);
    if (frame.kind === 'reset') count(counts.resets, frame.reason);
    if (frame.kind === 'live') this.#onLive(subscription);
    else {
      subscription.streams = Buffer.from(bytes);
      for (const [ref] of frame.streams) this.#byRef.set(ref, subscription);
    }
    subscription.standing = Buffer.from(bytes);
  }

  #onLive(subscription: Subscription): void {
    subscription.isLive = true;
    this.#around.counts.live++;
    this.#checkGoal();
  }

  #checkGoal(): void {
    if (this.#hasReached || !this.#subscriptions.every(({ isLive }) => isLive)) return;
    this.#reach('live');
    if (this.#subscriptions.every(({ plan, next }) => plan.until === undefined || next >= plan.until)) {
      this.#reach('caught up');
    }
  }

  #reach(goal: Goal): void {
    if (this.#hasReached || goal !== this.#around.goal) return;
    this.#hasReached = true;
    this.#around.counts.reached++;
    this.#around.onReached();
  }

  onControl(opcode: number, payload: Buffer): void {
    if (opcode === CLOSE_OPCODE) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      count(this.#around.counts.errors, `closed ${code} ${payload.toString('utf8', 2)}`.trim());
    } else if (opcode === PING_OPCODE) this.#socket!.write(maskedMessage(0x8a, payload));
  }

  get messages(): number {
    return this.#reader.messages;
  }
}

const count = (table: Record<string, number>, key: string): void => {
  table[key] = (table[key] ?? 0) + 1;
};

const positionOf = (seen: Pick<Subscription, 'streams' | 'standing' | 'ref' | 'sequence' | 'timeMs'>): string => {
  const told = lastFrame(seen.standing);
  const described = lastFrame(seen.streams);
  if (!told || !('position' in told) || !described || !('streams' in described)) throw new Error('not subscribed yet');
  const position = parsePosition(told.position ?? '');
  if (!position.ok) throw new Error(`the gateway sent a position that cannot be read: ${told.position}`);
  const entries = new Map<string, PositionEntry>(position.value.entries.map((entry) => [entry.epoch, entry]));
  const epoch = described.streams.find(([ref]) => ref === seen.ref)?.[1];
  if (seen.ref >= 0) {
    if (epoch === undefined) throw new Error(`events of stream ${seen.ref}, which "subscribed" did not announce`);
    const { sequence, timeMs } = seen;
    if (sequence > (entries.get(epoch)?.sequence ?? 0)) entries.set(epoch, { epoch, sequence, timeMs });
  }
  return encodePosition({ key: position.value.key, entries: [...entries.values()] });
};

const lastFrame = (bytes: Buffer | undefined): DownFrame | undefined => {
  const decoded = bytes && decodeDown(bytes, 'msgpack');
  return decoded?.ok ? decoded.value.at(-1) : undefined;
};

/** A masked message with the mask 0, which leaves the bytes as they are. */
const maskedMessage = (firstByte: number, payload: Uint8Array): Buffer => {
  const { length } = payload;
  const head = length < 126 ? [firstByte, 0x80 | length] : [firstByte, 0xfe, length >>> 8, length & 0xff];
  if (length > 0xffff) throw new Error('more subscriptions than one message is meant to carry');
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
};

const encodeHello = (token: string, subscriptions: readonly SubscriptionPlan[]): Buffer => {
  const frames: UpFrame[] = [
    { kind: 'hello', version: PROTOCOL_VERSION, token, agent: 'sluice-bench' },
    ...subscriptions.map(({ channel, first, position }, index) => ({
      kind: 'subscribe' as const,
      id: index + 1,
      channel,
      ...(position !== undefined && { position }),
      ...(first !== undefined && { first }),
    })),
  ];
  return maskedMessage(0x82, Buffer.concat(frames.map((frame) => encodeFrame(frame, 'msgpack'))));
};

const PONG = maskedMessage(0x82, encodeFrame({ kind: 'pong' }, 'msgpack'));

const upgradeRequest = (host: string): string =>
  [
    'GET /v1/ws HTTP/1.1',
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: c2x1aWNlLWJlbmNoLWxvYWQ=',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Protocol: ${SUBPROTOCOLS.msgpack}`,
    '\r\n',
  ].join('\r\n');
