// The client: a thin shell that feeds the state machine, carries out its actions, and hands frames to subscriptions.
import {
  decodeDown,
  SUBPROTOCOLS,
  type Call,
  type Command,
  type DownFrame,
  type ErrorFrame,
  type OkReply,
  type PresenceQuery,
  type UpFrame,
} from '@sluice/schemas';
import { Calls, type CallOptions, type ChannelPresence } from './calls.ts';
import { Commands, type Acknowledgement, type SendOptions } from './commands.ts';
import type { Client, ClientEvents } from './contract.ts';
import { ClientError } from './errors.ts';
import { Emitter, type Listener } from './events.ts';
import { Everywhere } from './everywhere.ts';
import type { ReadyOptions } from './options.ts';
import { Outgoing } from './outgoing.ts';
import { rehearse } from './rehearsal.ts';
import {
  INITIAL,
  isSameState,
  step,
  toConnectionState,
  type Action,
  type Connection,
  type ConnectionPolicy,
  type ConnectionState,
  type Input,
  type Timer,
} from './state.ts';
import type { SubscribeOptions, Subscription } from './subscription.ts';
import { Subscriptions, type DeliveryCounts } from './subscriptions.ts';
import { TokenSource } from './token.ts';
import type { TransportLink } from './transports/transport.ts';
import { whenConnected } from './when-connected.ts';

const ABNORMAL = 1006;

export class SluiceClient implements Client {
  readonly #options: ReadyOptions;
  readonly #policy: ConnectionPolicy;
  readonly #emitter = new Emitter((cause, name) => this.#listenerThrew(cause, name));
  readonly #everywhere = new Everywhere((cause, name) => this.#listenerThrew(cause, name));
  readonly #subscriptions: Subscriptions;
  readonly #commands: Commands;
  readonly #calls: Calls;
  readonly #tokens: TokenSource;
  readonly #outgoing: Outgoing;
  readonly #timers = new Map<Timer, () => void>();
  readonly #inputs: Input[] = [];
  #isStepping = false;
  #connection: Connection = INITIAL;
  /** Another object only where it is another state: views compare what they have rendered by identity. */
  #state: ConnectionState = toConnectionState(INITIAL);
  #link: TransportLink | undefined;
  #lastMessageAtMs = 0;
  #lastError: ErrorFrame | undefined;
  #authId: number | undefined;
  #requestId = 0;
  #subject: string | undefined;
  #tokenFault: unknown;

  constructor(options: ReadyOptions) {
    this.#options = options;
    this.#tokens = new TokenSource(options.token, options.clock);
    this.#policy = {
      maxAttempts: options.maxAttempts,
      scheduleMs: options.backoffScheduleMs,
      attemptTimeoutMs: options.attemptTimeoutMs,
      stableAfterMs: options.stableAfterMs,
      canRefresh: this.#tokens.canRefresh,
    };
    const { clock, random, encoding } = options;
    const context = {
      clock,
      random,
      isReady: () => this.#connection.phase.kind === 'connected' && this.#link !== undefined,
      send: (frame: UpFrame) => this.#send(frame),
      nextRequestId: () => this.#nextRequestId(),
      rehearse: (frame: Command | Call | PresenceQuery) => rehearse(frame, encoding),
    };
    this.#subscriptions = new Subscriptions({
      ...context,
      positions: options.positions,
      maxSubscriptions: options.maxSubscriptions,
      everywhere: this.#everywhere,
      report: (error) => this.#report(error),
      joined: (subscription) => this.#emitter.emit('joined', subscription),
    });
    this.#commands = new Commands({
      ...context,
      scheduleMs: options.backoffScheduleMs,
      rules: options.commands,
      newId: options.newCommandId,
    });
    this.#calls = new Calls(context);
    const { agent, join } = options;
    this.#outgoing = new Outgoing({
      ...{ encoding, agent, join },
      requests: () => this.#subscriptions.requests(),
      isCurrent: (link) => link === this.#link,
      overflowed: () => this.#lost(ABNORMAL, { code: 'send_overflow' }),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get subject(): string | undefined {
    return this.#subject;
  }

  get counts(): Readonly<DeliveryCounts> {
    return this.#subscriptions.counts;
  }

  connect(): void {
    this.#input({ kind: 'connect' });
  }

  connected(): Promise<void> {
    return whenConnected(this);
  }

  close(): void {
    this.#commands.close();
    this.#calls.close();
    this.#input({ kind: 'close' });
    this.#tokens.forget();
    this.#subscriptions.save();
  }

  retry(): void {
    this.#input({ kind: 'retry' });
  }

  networkChanged(isOnline: boolean): void {
    this.#input({ kind: 'network', isOnline });
  }

  foreground(): void {
    this.#input({ kind: 'foreground', silentMs: this.#silentMs() });
  }

  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    return this.#subscriptions.subscribe(channel, options);
  }

  subscription(channel: string): Subscription | undefined {
    return this.#subscriptions.get(channel);
  }

  send(name: string, data: unknown, options: SendOptions = {}): Promise<Acknowledgement> {
    return this.#commands.send(name, data, options);
  }

  call<Answer>(name: string, data: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.#calls.call(name, data, options) as Promise<Answer>;
  }

  presence(channel: string): Promise<ChannelPresence> {
    return this.#calls.presence(channel);
  }

  on<Value>(name: string, listener: Listener<Value>): () => void {
    return (isOfClient(name) ? this.#emitter : this.#everywhere).on(name, listener);
  }

  // --- The state machine -----------------------------------------------------------------------------------------

  /** Inputs that actions and listeners cause wait until the present one is done. */
  #input(input: Input): void {
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) this.#step(next);
    } finally {
      this.#isStepping = false;
    }
  }

  #step(input: Input): void {
    const before = this.#state;
    const moment = { nowMs: this.#options.clock.now(), random: this.#options.random() };
    const { connection, actions } = step(this.#connection, input, this.#policy, moment);
    this.#connection = connection;
    const state = toConnectionState(connection);
    if (!isSameState(before, state)) this.#state = state;
    for (const action of actions) this.#perform(action);
    if (this.#state !== before) this.#emitter.emit('state', this.#state);
  }

  #perform(action: Action): void {
    switch (action.kind) {
      case 'fetch_token':
        return this.#tokens.fetch(action.isFresh, (result) => {
          if ('isFresh' in result) return this.#input({ kind: 'token', isFresh: result.isFresh });
          this.#tokenFault = result.cause;
          this.#input({ kind: 'token_failed' });
        });
      case 'open':
        return this.#open();
      case 'greet':
        return this.#link && this.#outgoing.greet(this.#link, this.#tokens.token);
      case 'send_token':
        this.#authId = this.#nextRequestId();
        return void this.#send({ kind: 'auth', id: this.#authId, token: this.#tokens.token ?? '' });
      case 'drop':
        return this.#drop(action.closeCode);
      case 'start_timer':
        return this.#startTimer(action.timer, action.afterMs);
      case 'stop_timers':
        for (const cancel of this.#timers.values()) cancel();
        return this.#timers.clear();
      case 'report':
        return this.#reportConnection(action.code, action.willRetry);
    }
  }

  #startTimer(timer: Timer, afterMs: number): void {
    this.#timers.get(timer)?.();
    const cancel = this.#options.clock.after(afterMs, () => {
      this.#timers.delete(timer);
      const kind = `${timer}_over` as const;
      this.#input(kind === 'silence_over' ? { kind, silentMs: this.#silentMs() } : { kind });
    });
    this.#timers.set(timer, cancel);
  }

  // --- The link ----------------------------------------------------------------------------------------------------

  #open(): void {
    this.#lastError = undefined;
    const { transport, url, encoding } = this.#options;
    // A callback of a link that was dropped finds another one, or none, in its place.
    const ifCurrent = (act: () => void): void => {
      if (this.#link === link) act();
    };
    const link = transport(
      { url, subprotocol: SUBPROTOCOLS[encoding] },
      {
        opened: () => ifCurrent(() => this.#input({ kind: 'opened' })),
        message: (message) => ifCurrent(() => this.#receive(link, message)),
        closed: (closeCode) => ifCurrent(() => this.#lost(closeCode, this.#lastError)),
      },
    );
    this.#link = link;
  }

  #send(frame: UpFrame): boolean {
    const { phase } = this.#connection;
    // What travelled with the hello can be taken back before the welcome; everything else waits for it.
    const isGreeting = phase.kind === 'connecting' && phase.stage === 'greeting';
    if (!this.#link || !(phase.kind === 'connected' || (isGreeting && frame.kind === 'unsubscribe'))) return false;
    this.#outgoing.send(this.#link, frame);
    return true;
  }

  #drop(closeCode: number): void {
    this.#tokens.stopWaiting();
    this.#authId = undefined;
    const link = this.#link;
    this.#link = undefined;
    if (!link) return;
    this.#subscriptions.disconnected();
    this.#commands.disconnected();
    this.#calls.disconnected();
    link.close(closeCode);
  }

  #lost(closeCode: number, error: Pick<ErrorFrame, 'code' | 'retryAfterMs'> | undefined): void {
    this.#input({ kind: 'lost', closeCode, error: error?.code, retryAfterMs: error?.retryAfterMs });
  }

  // --- Frames ------------------------------------------------------------------------------------------------------

  #receive(link: TransportLink, message: Uint8Array | string): void {
    this.#lastMessageAtMs = this.#options.clock.now();
    const decoded = decodeDown(message, this.#options.encoding);
    if (!decoded.ok) return this.#lost(ABNORMAL, { code: 'bad_frame' });
    for (const frame of decoded.value) {
      // A listener may have closed the client, or a frame ended the connection.
      if (this.#link !== link) return;
      if (!this.#receiveFrame(frame)) return this.#lost(ABNORMAL, { code: 'bad_frame' });
    }
  }

  /** False for a frame that cannot be read. */
  #receiveFrame(frame: DownFrame): boolean {
    switch (frame.kind) {
      case 'event':
        this.#subscriptions.receiveEvent(frame);
        return true;
      case 'ping':
        this.#subscriptions.receiveHeads(frame.heads);
        this.#send({ kind: 'pong' });
        return true;
      case 'welcome':
        this.#subject = frame.subject;
        this.#tokens.expiresIn(frame.expiresInMs);
        // Before listeners hear of the connection: what they send at once takes along what is kept.
        this.#calls.welcomed(frame.limits.maxFrameBytes);
        this.#commands.welcomed(frame.subject, frame.limits.maxFrameBytes);
        this.#input({ kind: 'welcome', pingIntervalMs: frame.pingIntervalMs, expiresInMs: frame.expiresInMs });
        if (this.#connection.phase.kind === 'connected' && this.#link) this.#outgoing.request(this.#link);
        this.#commands.connected();
        return true;
      case 'ok':
        if (frame.id === this.#authId) this.#refreshed(frame);
        else this.#commands.acknowledged(frame);
        return true;
      case 'token_expiring':
        this.#input({ kind: 'token_expiring' });
        return true;
      case 'drain':
        this.#input({ kind: 'draining', withinMs: frame.withinMs });
        return true;
      case 'error':
        return this.#receiveError(frame);
      case 'subscribed':
      case 'live':
      case 'reset':
      case 'unsubscribed':
        return this.#subscriptions.receive(frame);
      case 'result':
        this.#calls.answered(frame);
        return true;
      case 'ephemeral':
        this.#subscriptions.receiveEphemeral(frame);
        return true;
      case 'presence':
        this.#calls.present(frame);
        return true;
    }
  }

  #refreshed({ expiresInMs }: OkReply): void {
    this.#tokens.expiresIn(expiresInMs);
    this.#input({ kind: 'auth_accepted', expiresInMs });
  }

  #receiveError(frame: ErrorFrame): boolean {
    if (frame.id !== undefined && frame.id === this.#authId) {
      this.#input({ kind: 'auth_refused', code: frame.code });
      return true;
    }
    if (this.#commands.refused(frame) || this.#calls.refused(frame)) return true;
    if (frame.id !== undefined || frame.channel !== undefined) return this.#subscriptions.receive(frame);
    // About the connection. Most are followed by a close, whose policy then decides; what the state machine mends by
    // itself, an expired token, is not worth an application's attention.
    this.#lastError = frame;
    if (this.#connection.phase.kind === 'connected' && frame.code !== 'token_expired') {
      this.#report(new ClientError(frame.code, { message: frame.message }));
    }
    return true;
  }

  // --- The rest ------------------------------------------------------------------------------------------------------

  #reportConnection(code: string, willRetry: boolean): void {
    const cause = code === 'token_unavailable' ? { cause: this.#tokenFault } : {};
    this.#report(new ClientError(code, { isRetryable: willRetry, ...cause }));
  }

  #report(error: ClientError): void {
    if (this.#emitter.has('error')) this.#emitter.emit('error', error);
    else if (error.code === 'listener_threw') rethrow(error.cause);
  }

  #listenerThrew(cause: unknown, name: string): void {
    // An error listener that throws would be told of its own error, for ever.
    if (name === 'error') rethrow(cause);
    else this.#report(new ClientError('listener_threw', { cause }));
  }

  #silentMs(): number {
    // A wall clock that was set back is no proof of life; it starts the measurement anew.
    this.#lastMessageAtMs = Math.min(this.#lastMessageAtMs, this.#options.clock.now());
    return this.#options.clock.now() - this.#lastMessageAtMs;
  }

  #nextRequestId(): number {
    this.#requestId = this.#requestId >= 0xffff_ffff ? 1 : this.#requestId + 1;
    return this.#requestId;
  }
}

const OF_CLIENT: Readonly<Record<keyof ClientEvents, true>> = { state: true, error: true, joined: true };
const isOfClient = (name: string): boolean => Object.hasOwn(OF_CLIENT, name);

/** To where uncaught errors go, and not through the client. */
const rethrow = (cause: unknown): void => {
  queueMicrotask(() => {
    throw cause;
  });
};
