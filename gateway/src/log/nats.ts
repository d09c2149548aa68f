// Owns the two connections to NATS and the mapping of NATS errors to GatewayErrors. Knows no stream and no event.
// `live` carries the readers' deliveries; `requests` carries everything that is asked (leader readings, cold reads), so
// that a burst of answers can neither delay the live path nor trip its slow-consumer limit at the server.

import { randomBytes } from 'node:crypto';
import { connect, errors as natsErrors, headers as createHeaders } from '@nats-io/transport-node';
import type {
  ConnectionOptions,
  Msg,
  MsgHdrs,
  NatsConnection,
  Server,
  Subscription,
  TlsOptions,
} from '@nats-io/transport-node';
import { GatewayError } from '../errors.ts';
import type { Clock } from '../operations/clock.ts';
import { delay } from '../operations/clock.ts';

export interface NatsOptions {
  readonly servers: readonly string[];
  /** Shown in the server's connection list, with the role of the connection appended. */
  readonly name: string;
  readonly clock: Clock;
  /** How long the first connect may take, over all servers, before it is given up as nats_unreachable. */
  readonly connectTimeoutMs: number;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly authenticator?: ConnectionOptions['authenticator'];
  readonly tls?: TlsOptions;
  /** First part of every inbox, for permissions such as `_INBOX_gw.>`. */
  readonly inboxPrefix?: string;
  readonly reconnectTimeWaitMs?: number;
  readonly pingIntervalMs?: number;
  /** Something to log: connection lost, found again, moved, error. Must not throw. */
  readonly onNotice?: (notice: NatsNotice) => void;
}

export type LinkRole = 'live' | 'requests';

export interface NatsNotice {
  readonly kind: 'disconnected' | 'reconnected' | 'moving' | 'lame_duck' | 'error' | 'closed';
  readonly link: LinkRole;
  readonly server: string;
  readonly reason?: string;
}

/** One connection. */
export interface NatsLink {
  readonly role: LinkRole;
  readonly isConnected: boolean;
  /** Address of the server we are, or were last, connected to. */
  readonly server: string;
  /** Identity and version of the server behind the connection; empty while there is none. */
  readonly serverId: string;
  readonly serverVersion: string;
  readonly connectedSinceMs: number;
  /** Longest message that the server takes. */
  readonly maxPayloadBytes: number;
  /** An inbox subject nobody else uses. */
  newInbox(): string;
  subscribe(subject: string, callback: (message: Msg) => void): Subscription;
  /** Throws nothing: a publish on a lost connection is lost, as any publish may be. */
  publish(subject: string, payload?: Uint8Array | string, reply?: string): void;
  /** The same with headers; false where there is no connection to lose it on. */
  publishWith(headers: Readonly<Record<string, string>>, subject: string, payload: Uint8Array): boolean;
  /** The answer's message; throws a GatewayError, at once when the connection is or gets lost. */
  request(
    subject: string,
    payload: string,
    timeoutMs: number,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Msg>;
  onConnectionChange(listener: (isConnected: boolean) => void): () => void;
  /** Leaves this server for another one of the pool, unless it did so a moment ago. Returns whether it moves. */
  moveToAnotherServer(reason: string): boolean;
}

export interface Nats {
  readonly live: NatsLink;
  readonly requests: NatsLink;
  close(): Promise<void>;
}

const RECONNECT_WAIT_MS = 250;
const PING_INTERVAL_MS = 5_000;
const DIAL_TIMEOUT_MS = 3_000;
// A move costs every reader of the pod a new consumer. One that did not help is not repeated at once; the first value is
// the time a doubt takes to become a wish to move.
const MIN_MOVE_INTERVAL_MS = 5_000;
const MAX_MOVE_INTERVAL_MS = 60_000;
const MOVES_FORGOTTEN_AFTER_MS = 300_000;

export async function connectToNats(options: NatsOptions): Promise<Nats> {
  const live = await openLink('live', options);
  try {
    const requests = await openLink('requests', options);
    return {
      live,
      requests,
      close: async () => {
        await Promise.all([live.close(), requests.close()]);
      },
    };
  } catch (error) {
    await live.close();
    throw error;
  }
}

async function openLink(role: LinkRole, options: NatsOptions): Promise<Link> {
  const { clock } = options;
  const choice: ServerChoice = { avoid: undefined };
  const inboxPrefix = `${options.inboxPrefix ?? '_INBOX'}.${randomBytes(9).toString('hex')}`;
  const wanted: ConnectionOptions = {
    servers: [...options.servers],
    name: `${options.name} ${role}`,
    inboxPrefix,
    noAsyncTraces: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: options.reconnectTimeWaitMs ?? RECONNECT_WAIT_MS,
    reconnectJitter: options.reconnectTimeWaitMs ?? RECONNECT_WAIT_MS,
    reconnectJitterTLS: options.reconnectTimeWaitMs ?? RECONNECT_WAIT_MS,
    pingInterval: options.pingIntervalMs ?? PING_INTERVAL_MS,
    maxPingOut: 2,
    timeout: DIAL_TIMEOUT_MS,
    // Credentials that are refused twice may be rotated a minute later; a pod that gave up would have to be killed.
    ignoreAuthErrorAbort: true,
    reconnectToServer: (pool) => chooseServer(pool, choice),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.password === undefined ? {} : { pass: options.password }),
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(options.authenticator === undefined ? {} : { authenticator: options.authenticator }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  };
  const deadlineMs = clock.now() + options.connectTimeoutMs;
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2_000)) {
    try {
      const nc = await connect(wanted);
      keepServers(nc, options.servers);
      return new Link(role, nc, inboxPrefix, choice, options);
    } catch (error) {
      const mapped = toGatewayError(error);
      if (mapped.code === 'nats_denied') throw mapped;
      if (clock.now() + waitMs >= deadlineMs) {
        throw new GatewayError('nats_unreachable', `no NATS server answers: ${options.servers.join(', ')}`, {
          cause: error,
          details: { servers: options.servers },
        });
      }
      await delay(clock, waitMs);
    }
  }
}

const DEFAULT_PORT = 4222;

// nats.js forgets a server for good that did not answer the very first connect: a pod that boots while one is down, and
// whose own server is cut off later, would have nowhere to go.
function keepServers(nc: NatsConnection, servers: readonly string[]): void {
  const known = nc.getServers().map(({ listen }) => listen);
  const missing = servers.map(addressOf).filter((address) => !known.includes(address));
  if (missing.length > 0) nc.setServers([...known, ...missing]);
}

function addressOf(server: string): string {
  const { host, port } = new URL(server.includes('://') ? server : `nats://${server}`);
  return port === '' ? `${host}:${DEFAULT_PORT}` : host;
}

interface ServerChoice {
  /** `listen` of the server that was just left; it comes last. */
  avoid: string | undefined;
}

// nats.js' own rotation dials the server it came from first. Must not throw: that would close the connection for good.
function chooseServer(pool: readonly Server[], choice: ServerChoice): Server | null {
  if (choice.avoid === undefined) return null;
  let best: Server | null = null;
  for (const server of pool) {
    if (server.listen === choice.avoid) continue;
    if (best === null || server.lastConnect < best.lastConnect) best = server;
  }
  // Every other one has been dialled since the move began: back to the library's rotation, which includes the old one.
  const old = pool.find((server) => server.listen === choice.avoid);
  if (best !== null && old !== undefined && best.lastConnect > old.lastConnect) {
    choice.avoid = undefined;
    return null;
  }
  return best;
}

class Link implements NatsLink {
  readonly role: LinkRole;
  readonly #nc: NatsConnection;
  readonly #choice: ServerChoice;
  readonly #clock: Clock;
  readonly #inboxPrefix: string;
  readonly #onNotice: (notice: NatsNotice) => void;
  readonly #listeners = new Set<(isConnected: boolean) => void>();
  readonly #pendingRejects = new Set<(error: GatewayError) => void>();
  #isConnected = true;
  #connectedSinceMs: number;
  #movedAtMs = Number.NEGATIVE_INFINITY;
  #moveIntervalMs = MIN_MOVE_INTERVAL_MS;
  /** Server that a move wants to leave, by id, and how often it may still land there: names can hide several servers. */
  #leaving: { readonly serverId: string; triesLeft: number } | undefined;

  constructor(role: LinkRole, nc: NatsConnection, inboxPrefix: string, choice: ServerChoice, options: NatsOptions) {
    this.role = role;
    this.#nc = nc;
    this.#choice = choice;
    this.#clock = options.clock;
    this.#inboxPrefix = inboxPrefix;
    this.#onNotice = options.onNotice ?? (() => {});
    this.#connectedSinceMs = options.clock.now();
    void this.#watch();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get server(): string {
    return this.#nc.getServer();
  }

  get serverId(): string {
    return this.#nc.info?.server_id ?? '';
  }

  get serverVersion(): string {
    return this.#nc.info?.version ?? '';
  }

  get connectedSinceMs(): number {
    return this.#connectedSinceMs;
  }

  get maxPayloadBytes(): number {
    return this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  newInbox(): string {
    return `${this.#inboxPrefix}.${randomBytes(12).toString('base64url')}`;
  }

  subscribe(subject: string, callback: (message: Msg) => void): Subscription {
    try {
      return this.#nc.subscribe(subject, {
        callback: (error, message) => {
          // A throwing callback would end nats.js' read loop for the whole connection.
          try {
            if (error === null) callback(message);
            else this.#notice('error', error.message);
          } catch (thrown) {
            this.#notice('error', `callback of ${subject}: ${String(thrown)}`);
          }
        },
      });
    } catch (error) {
      throw toGatewayError(error);
    }
  }

  publish(subject: string, payload?: Uint8Array | string, reply?: string): void {
    if (!this.#isConnected) return;
    try {
      this.#nc.publish(subject, payload, reply === undefined ? {} : { reply });
    } catch (error) {
      this.#notice('error', `publish to ${subject}: ${String(error)}`);
    }
  }

  publishWith(headers: Readonly<Record<string, string>>, subject: string, payload: Uint8Array): boolean {
    if (!this.#isConnected) return false;
    try {
      this.#nc.publish(subject, payload, { headers: toHeaders(headers) });
      return true;
    } catch (error) {
      this.#notice('error', `publish to ${subject}: ${String(error)}`);
      return false;
    }
  }

  request(
    subject: string,
    payload: string,
    timeoutMs: number,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Msg> {
    if (!this.#isConnected) return Promise.reject(disconnectedError());
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pendingRejects.delete(fail);
      };
      const fail = (error: GatewayError): void => {
        settle();
        reject(error);
      };
      this.#pendingRejects.add(fail);
      const options = { timeout: timeoutMs, ...(headers && { headers: toHeaders(headers) }) };
      this.#nc.request(subject, payload, options).then(
        (message) => {
          settle();
          resolve(message);
        },
        (error: unknown) => fail(toGatewayError(error, subject)),
      );
    });
  }

  onConnectionChange(listener: (isConnected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  moveToAnotherServer(reason: string): boolean {
    const nowMs = this.#clock.now();
    if (!this.#isConnected || nowMs - this.#movedAtMs < this.#moveIntervalMs) return false;
    // Alone: there is nowhere to go, and dropping the connection would only add to the trouble.
    const isClustered = this.#nc.info?.cluster !== undefined && this.#nc.info.cluster !== '';
    if (this.#nc.getServers().length < 2 && !isClustered) return false;
    const isFresh = nowMs - this.#movedAtMs > MOVES_FORGOTTEN_AFTER_MS;
    this.#moveIntervalMs = isFresh ? MIN_MOVE_INTERVAL_MS : Math.min(this.#moveIntervalMs * 2, MAX_MOVE_INTERVAL_MS);
    this.#movedAtMs = nowMs;
    this.#leaving = { serverId: this.serverId, triesLeft: this.#nc.getServers().length };
    this.#notice('moving', reason);
    this.#leave();
    return true;
  }

  async close(): Promise<void> {
    this.#setConnected(false);
    await this.#nc.close();
  }

  #leave(): void {
    this.#choice.avoid = this.#nc.getServer();
    // Set at once, not when the status arrives: nothing may be asked of a server that is being left.
    this.#setConnected(false);
    void this.#nc.reconnect();
  }

  async #watch(): Promise<void> {
    for await (const status of this.#nc.status()) {
      // The other kinds (pings, attempts to dial, changes of the pool) change nothing for us.
      if (status.type === 'disconnect') {
        this.#notice('disconnected');
        this.#setConnected(false);
      } else if (status.type === 'reconnect') this.#arrived();
      else if (status.type === 'error') this.#notice('error', status.error.message);
      else if (status.type === 'ldm') {
        this.#notice('lame_duck');
        this.moveToAnotherServer('lame duck');
      }
    }
    this.#notice('closed');
    this.#setConnected(false);
  }

  #arrived(): void {
    const leaving = this.#leaving;
    if (leaving !== undefined && leaving.serverId === this.serverId && leaving.triesLeft > 0) {
      leaving.triesLeft -= 1;
      this.#leave();
      return;
    }
    this.#leaving = undefined;
    this.#choice.avoid = undefined;
    this.#connectedSinceMs = this.#clock.now();
    this.#notice('reconnected');
    this.#setConnected(true);
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    if (!isConnected) for (const reject of this.#pendingRejects) reject(disconnectedError());
    for (const listener of this.#listeners) {
      try {
        listener(isConnected);
      } catch (error) {
        this.#notice('error', `connection listener: ${String(error)}`);
      }
    }
  }

  #notice(kind: NatsNotice['kind'], reason?: string): void {
    const server = this.#nc.getServer();
    this.#onNotice({ kind, link: this.role, server, ...(reason === undefined ? {} : { reason }) });
  }
}

function toHeaders(fields: Readonly<Record<string, string>>): MsgHdrs {
  const built = createHeaders();
  for (const [name, value] of Object.entries(fields)) built.set(name, value);
  return built;
}

function disconnectedError(): GatewayError {
  return new GatewayError('nats_disconnected', 'the connection to NATS is lost');
}

/** Maps what nats.js throws. */
export function toGatewayError(error: unknown, subject?: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const details = subject === undefined ? {} : { subject };
  const message = error instanceof Error ? error.message : String(error);
  const make = (code: GatewayError['code']): GatewayError => new GatewayError(code, message, { cause: error, details });
  const root = error instanceof natsErrors.RequestError && error.cause instanceof Error ? error.cause : error;
  if (root instanceof natsErrors.TimeoutError) return make('nats_timeout');
  if (root instanceof natsErrors.NoRespondersError) return make('nats_no_responders');
  if (root instanceof natsErrors.RequestError && root.isNoResponders()) return make('nats_no_responders');
  if (root instanceof natsErrors.PermissionViolationError) return make('nats_denied');
  if (root instanceof natsErrors.AuthorizationError) return make('nats_denied');
  if (root instanceof natsErrors.UserAuthenticationExpiredError) return make('nats_denied');
  if (root instanceof natsErrors.ClosedConnectionError) return make('nats_closed');
  if (root instanceof natsErrors.DrainingConnectionError) return make('nats_closed');
  if (root instanceof natsErrors.ConnectionError) return make('nats_unreachable');
  return make('nats_disconnected');
}
