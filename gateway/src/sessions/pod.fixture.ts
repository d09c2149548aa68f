// A pod without NATS, sockets or time of its own, and connections to it that a test fills and drains.
import { decodeDown, encodeFrame, fail, ok, type DownFrame, type Encoding, type UpFrame } from '@sluice/schemas';
import type { Authenticator, AuthFault } from '../access/auth.ts';
import type { Grants } from '../access/grants.ts';
import { Users, type UserLimits } from '../access/limits.ts';
import type { Principal } from '../access/permission.ts';
import { createTestCommands, type TestCommands, type TestCommandsOptions } from '../commands/commands.fixture.ts';
import { createDelivery, ORDERS, type Delivery, type DeliveryOptions } from '../delivery/delivery.fixture.ts';
import { Endings } from '../delivery/endings.ts';
import { Pump } from '../delivery/pump.ts';
import type { Cold } from '../log/cold.ts';
import { createStreamLog } from '../log/stream-log.ts';
import type { LogSink } from '../log/log-sink.ts';
import type { Connection, ConnectionHandler } from '../transports/transport.ts';
import { createSessionCounters, type Pod, type SessionLimits } from './pod.ts';
import { Sessions } from './sessions.ts';

export const LIMITS: SessionLimits = {
  pingIntervalMs: 25_000,
  helloTimeoutMs: 5_000,
  maxUnauthenticatedBytes: 65_536,
  maxFrameBytes: 1_000_000,
  maxSubscriptions: 20,
  subscribesPerSecond: 1_000,
  subscribeBurst: 1_000,
  socketBudgetBytes: 256 * 1024,
  tokenExpiringMs: 60_000,
  maxStates: 200,
};

const USER_LIMITS: UserLimits = {
  connections: 10,
  subscriptions: 100,
  queuedBytes: 1e9,
  coldReads: 10,
  subscribesPerSecond: 1_000,
  subscribeBurst: 1_000,
};

/** A token is the principal itself, or the name of a fault; `slow:` ones are verified when the test says so. */
export const tokenOf = (principal: Principal): string => JSON.stringify(principal);

export interface TestPod extends Delivery {
  readonly pod: Pod;
  readonly sessions: Sessions;
  readonly faults: unknown[];
  readonly requests: Pick<TestCommands, 'stored' | 'asked'>;
  /** Tokens that wait to be verified. */
  readonly verifying: (() => void)[];
  sinkOf(stream: string): LogSink;
  /** What setImmediate would run: ends of ticks and turns of the pump. */
  turn(): void;
  connect(encoding?: Encoding, capacity?: number, headerToken?: string): FakeConnection;
}

export interface TestPodOptions extends DeliveryOptions {
  readonly cold: Cold;
  readonly limits?: Partial<SessionLimits>;
  readonly userLimits?: Partial<UserLimits>;
  readonly requestLimits?: TestCommandsOptions['limits'];
  readonly effects?: TestCommandsOptions['effects'];
  readonly leaderOf?: Pod['leaderOf'];
  readonly readThrough?: Pod['readThrough'];
  readonly grants?: Grants;
}

export const createTestPod = (options: TestPodOptions): TestPod => {
  const delivery = createDelivery(options);
  const { clock, tails, channels, chunks, writer, gate } = delivery;
  const limits = { ...LIMITS, ...options.limits };
  const faults: unknown[] = [];
  const verifying: (() => void)[] = [];
  let deferred: (() => void)[] = [];
  let stepsMs = 0;
  const authenticator: Authenticator = {
    outcomes: { accepted: 0, token_missing: 0, token_invalid: 0, token_expired: 0, auth_unavailable: 0 },
    verify: async (token) => {
      if (token === undefined) return fail('token_missing');
      if (token.startsWith('slow:')) {
        await new Promise<void>((resolve) => verifying.push(resolve));
        return ok(JSON.parse(token.slice(5)) as Principal);
      }
      return token.startsWith('{') ? ok(JSON.parse(token) as Principal) : fail(token as AuthFault);
    },
  };
  const counters = createSessionCounters();
  const onFault = (error: unknown): void => void faults.push(error);
  const { commands, ...requests } = createTestCommands({
    catalogue: options.catalogue ?? ORDERS,
    clock,
    counters,
    onTrouble: (where, reason) => void faults.push(`${where}: ${reason}`),
    ...(options.requestLimits && { limits: options.requestLimits }),
    ...(options.effects && { effects: options.effects }),
  });
  const pod: Pod = {
    catalogue: options.catalogue ?? ORDERS,
    tails,
    channels,
    chunks,
    writer,
    // Every look at the clock takes a moment: a session that never has enough of turns cannot hold up the test.
    pump: new Pump({ monotonicMs: () => stepsMs++, defer: (callback) => deferred.push(callback), sliceMs: 20 }),
    endings: new Endings(options.catalogue ?? ORDERS, (subject, payload) => gate.peek(subject, payload)),
    cold: options.cold,
    authenticator,
    ...(options.grants && { grants: options.grants }),
    users: new Users({ ...USER_LIMITS, ...options.userLimits }),
    commands,
    clock,
    random: () => 0.5,
    limits,
    counters,
    waiting: new Set(),
    leaderOf: options.leaderOf ?? (() => undefined),
    readThrough: options.readThrough ?? (() => 0),
    onFault,
  };
  let connections = 0;
  const sessions = new Sessions(() => `c-${++connections}`);
  sessions.open(pod);
  return {
    ...delivery,
    pod,
    sessions,
    faults,
    requests,
    verifying,
    sinkOf: (stream) =>
      createStreamLog({
        tail: tails.get(stream)!,
        channels,
        onGeneration: (tail, cause) => sessions.reset(tail, cause),
      }),
    turn: () => {
      delivery.endTick();
      const callbacks = deferred;
      deferred = [];
      for (const callback of callbacks) callback();
    },
    connect: (encoding = 'msgpack', capacity = Number.POSITIVE_INFINITY, headerToken = undefined) => {
      const connection = new FakeConnection(encoding, capacity);
      connection.handler = sessions.accept(connection, { token: headerToken, remoteAddress: '127.0.0.1' });
      return connection;
    },
  };
};

/**
 * A socket: `capacity` bytes are taken at once, the rest waits until the peer reads. The peer has what was taken, message
 * by message; what was still buffered when the connection broke is lost.
 */
export class FakeConnection implements Connection {
  readonly encoding: Encoding;
  handler: ConnectionHandler | undefined;
  closed: { readonly code: number; readonly reason: string } | undefined;
  #isBroken = false;
  #buffered = 0;
  #capacity: number;
  readonly #messages: { readonly bytes: Uint8Array; readonly end: number }[] = [];
  #sent = 0;

  constructor(encoding: Encoding, capacity: number) {
    this.encoding = encoding;
    this.#capacity = capacity;
  }

  send(bytes: Uint8Array): boolean {
    if (this.closed || this.#isBroken) return true;
    this.#sent += bytes.length;
    this.#messages.push({ bytes: Uint8Array.from(bytes), end: this.#sent });
    const taken = this.#buffered > 0 ? 0 : Math.min(this.#capacity, bytes.length);
    this.#capacity -= taken;
    this.#buffered += bytes.length - taken;
    return this.#buffered === 0;
  }

  bufferedBytes(): number {
    return this.closed || this.#isBroken ? 0 : this.#buffered;
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  /** The peer reads; returns the frames that are complete now. */
  read(bytes: number = Number.POSITIVE_INFINITY): DownFrame[] {
    const before = this.#buffered;
    const taken = Math.min(bytes, this.#buffered);
    this.#buffered -= taken;
    if (Number.isFinite(bytes)) this.#capacity += bytes - taken;
    else this.#capacity = Number.POSITIVE_INFINITY;
    const arrived = this.#sent - this.#buffered;
    const frames: DownFrame[] = [];
    while (this.#messages.length > 0 && this.#messages[0]!.end <= arrived) {
      const decoded = decodeDown(this.#messages.shift()!.bytes, this.encoding);
      if (!decoded.ok) throw new Error('a message that no client could read');
      frames.push(...decoded.value);
    }
    if (before > 0 && taken > 0 && !this.closed) this.handler?.drained();
    return frames;
  }

  /** The peer stops reading until the next `read`. */
  stall(): void {
    this.#capacity = 0;
  }

  write(...frames: readonly UpFrame[]): void {
    const parts = frames.map((frame) => encodeFrame(frame, this.encoding));
    this.writeBytes(Uint8Array.from(parts.flatMap((part) => [...part])));
  }

  writeBytes(bytes: Uint8Array): void {
    if (!this.closed && !this.#isBroken) this.handler?.message(bytes);
  }

  /** The peer is gone; what it had not read is lost. */
  break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.handler?.closed();
  }
}

/** Lets promises settle. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
