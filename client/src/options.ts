// What an application may choose, and what holds where it does not.
import type { Encoding } from '@sluice/schemas';
import { BACKOFF_SCHEDULE_MS } from './backoff.ts';
import { systemClock, type Clock } from './clock.ts';
import type { CommandRule } from './commands.ts';
import { ClientError } from './errors.ts';
import { createMemoryPositions, type PositionStore } from './positions.ts';
import { randomId } from './random-id.ts';
import type { Transport } from './transports/transport.ts';

export interface ClientOptions {
  /** Of the gateway: ws, wss, http or https. Without a path, `/v1/ws`. */
  readonly url: string;
  /** A token, or where to get one: called before the first connection, after a `close`, and whenever a fresh one is needed. */
  readonly token: string | (() => Promise<string>);
  readonly encoding?: Encoding;
  /** Where positions outlive subscriptions. Default: memory. */
  readonly positions?: PositionStore;
  /** Attempts to reconnect before the state becomes `failed`; Infinity never gives up. Default: 10. */
  readonly maxAttempts?: number;
  /** Longest delay before each attempt; the last one repeats. Default: 1, 2, 4, 8, 16 s. */
  readonly backoffScheduleMs?: readonly number[];
  /** Token, socket and welcome together. Default: 15 s. */
  readonly attemptTimeoutMs?: number;
  /** A connection that lived this long starts the schedule anew. Default: 5 s. */
  readonly stableAfterMs?: number;
  /** Default: 1,000. The gateway has a limit of its own. */
  readonly maxSubscriptions?: number;
  /** The catalogue's commands: which of them are never kept for later. */
  readonly commands?: readonly CommandRule[];
  /** Ids of commands that are sent without one; each must be another one, on every device. */
  readonly newCommandId?: () => string;
  /** Take the channels that the catalogue joins this user to, without asking for each. Default: true. */
  readonly join?: boolean;
  /** Name and version of the application, for the gateway's logs. */
  readonly agent?: string;
  readonly transport?: Transport;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

export type ReadyOptions = Required<ClientOptions>;

const DEFAULT_PATH = '/v1/ws';
const DEFAULT_AGENT = 'sluice-js';
/** Of the wire: a hello with more is none. */
const MAX_AGENT_CHARS = 128;

/** The user agents of browsers are longer on some phones than on others; the beginning says enough to a log. */
const toAgent = (text: string): string => text.replace(/[^ -~]/g, '').slice(0, MAX_AGENT_CHARS);

/** Throws `invalid_url`. */
export const toReadyOptions = (options: ClientOptions, transport: () => Transport): ReadyOptions => ({
  encoding: 'msgpack',
  maxAttempts: 10,
  backoffScheduleMs: BACKOFF_SCHEDULE_MS,
  attemptTimeoutMs: 15_000,
  stableAfterMs: 5_000,
  maxSubscriptions: 1_000,
  commands: [],
  newCommandId: randomId,
  join: true,
  clock: systemClock,
  random: Math.random,
  // Applications pass on what they have; not every compiler tells undefined from absent.
  ...(Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as ClientOptions),
  positions: options.positions ?? createMemoryPositions(),
  transport: options.transport ?? transport(),
  url: toWebSocketUrl(options.url),
  agent: toAgent(options.agent ?? DEFAULT_AGENT),
});

const toWebSocketUrl = (text: string): string => {
  const url = parseUrl(text);
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw new ClientError('invalid_url', { message: `${text} is not a WebSocket or HTTP address` });
  }
  if (url.pathname === '/') url.pathname = DEFAULT_PATH;
  url.hash = '';
  return url.href;
};

// Browsers of 2022 are still on phones, and do not know URL.canParse.
const parseUrl = (text: string): URL => {
  try {
    return new URL(text);
  } catch (cause) {
    throw new ClientError('invalid_url', { message: `${text} is not an address`, cause });
  }
};
