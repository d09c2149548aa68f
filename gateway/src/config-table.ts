// The one table of options. docs/CONFIGURATION.md is generated from it; config.ts reads it.
import { COMMAND_STREAM, PRESENCE_BUCKET, SUBJECT_ENCODINGS, type SubjectEncoding } from '@sluice/schemas';
import { choice, flag, integer, list, requiredText, text, type Option } from './config-values.ts';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const VALIDATE = ['all', 'sample', 'off'] as const;
const ON_INVALID = ['drop', 'pass'] as const;

export interface Options {
  readonly natsUrl: readonly string[];
  readonly natsUser: string | undefined;
  readonly natsPassword: string | undefined;
  readonly natsToken: string | undefined;
  readonly natsCredsFile: string | undefined;
  readonly natsTlsCaFile: string | undefined;
  readonly natsTlsCertFile: string | undefined;
  readonly natsTlsKeyFile: string | undefined;
  readonly natsInboxPrefix: string | undefined;
  readonly natsConnectTimeoutMs: number;

  readonly host: string;
  readonly port: number;
  readonly operationsHost: string;
  readonly operationsPort: number;

  readonly tokenSecret: string | undefined;
  readonly tokenSecretFile: string | undefined;
  readonly tokenPublicKey: string | undefined;
  readonly tokenPublicKeyFile: string | undefined;
  readonly tokenJwksUrl: string | undefined;
  readonly tokenIssuer: readonly string[];
  readonly tokenAudience: readonly string[];
  readonly tokenAlgorithms: readonly string[];
  readonly tokenClockToleranceMs: number;
  readonly tokenMaxBytes: number;
  readonly tokenInQuery: boolean;
  readonly tokenExpiringMs: number;
  readonly jwksTimeoutMs: number;
  readonly jwksCooldownMs: number;
  readonly jwksMaxAgeMs: number;
  readonly subjectEncoding: SubjectEncoding;

  readonly catalogue: string;
  readonly grantsBucket: string;
  readonly presenceBucket: string;
  readonly presenceLingerMs: number;
  readonly presenceLeaseMs: number;
  readonly presenceDeadAfterMs: number;
  readonly tailSeconds: number;
  readonly tailMaxBytes: number;
  readonly validate: (typeof VALIDATE)[number];
  readonly onInvalid: (typeof ON_INVALID)[number];

  readonly flushIntervalMs: number;
  readonly pingIntervalMs: number;
  readonly helloTimeoutMs: number;
  readonly unauthenticatedMaxBytes: number;
  readonly maxFrameBytes: number;
  readonly socketBudgetBytes: number;
  readonly compression: boolean;
  readonly snapshotMaxStates: number;

  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxSubscriptionsPerSocket: number;
  readonly maxSubscriptionsPerUser: number;
  readonly subscribesPerSecond: number;
  readonly subscribeBurst: number;
  readonly subscribesPerSecondPerUser: number;
  readonly subscribeBurstPerUser: number;
  readonly maxQueuedBytesPerUser: number;
  readonly coldReadsPerStream: number;
  readonly coldReadsPerUser: number;
  readonly coldReadMaxBytes: number;
  readonly ephemeralPerSecond: number;

  readonly commandStream: string;
  readonly commandMaxBytes: number;
  readonly commandAckTimeoutMs: number;
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  readonly requestsPerSecondPerUser: number;
  readonly requestBurstPerUser: number;
  readonly maxRequestsInFlightPerSocket: number;
  readonly maxRequestsInFlightPerUser: number;
  readonly maxRequestsInFlight: number;
  readonly maxRequestBytesInFlight: number;

  readonly drainWindowMs: number;
  readonly shutdownTimeoutMs: number;
  readonly readyRedAfterMs: number;
  readonly canaryStream: string | undefined;
  readonly logLevel: LogLevel;
  readonly logPretty: boolean;
}

const KiB = 1_024;
const MiB = 1_024 * KiB;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Longer delays overflow the timers of Node. */
const MAX_TIMER_MS = 0x7fff_ffff;

const NATS = 'NATS';
const LISTENING = 'Listening';
const TOKENS = 'Tokens';
const EVENTS = 'Events';
const CONNECTIONS = 'Connections';
const LIMITS = 'Limits';
const COMMANDS = 'Commands and calls';
const OPERATION = 'Operation';

const refuseNatsUrl = (value: string): string | undefined =>
  /^(nats|tls):\/\//.test(value) && URL.canParse(value) && new URL(value).host !== ''
    ? undefined
    : 'must be addresses such as nats://host:4222 or tls://host:4222';

export const OPTIONS: { readonly [K in keyof Options]: Option<Options[K]> } = {
  natsUrl: list({
    section: NATS,
    default: ['nats://127.0.0.1:4222'],
    refuse: refuseNatsUrl,
    help: 'Servers of the NATS cluster. Name several: a pod moves to another one when its server is cut off.',
  }),
  natsUser: text({ section: NATS, help: 'User name; needs the password.' }),
  natsPassword: text({ section: NATS, isSecret: true, help: 'Password of the user.' }),
  natsToken: text({ section: NATS, isSecret: true, help: 'Token, for servers that authenticate by token.' }),
  natsCredsFile: text({ section: NATS, accepts: 'path', help: 'File with a user JWT and NKey seed (`.creds`).' }),
  natsTlsCaFile: text({ section: NATS, accepts: 'path', help: 'Certificate authorities to trust, PEM.' }),
  natsTlsCertFile: text({ section: NATS, accepts: 'path', help: 'Client certificate, PEM; needs the key.' }),
  natsTlsKeyFile: text({ section: NATS, accepts: 'path', help: 'Key of the client certificate, PEM.' }),
  natsInboxPrefix: text({
    section: NATS,
    refuse: (value) => (/[\s*>]|^\.|\.$|\.\./.test(value) ? 'must be a subject without wildcards' : undefined),
    help: 'First part of every inbox, where permissions of the NATS user ask for one.',
  }),
  natsConnectTimeoutMs: integer({
    section: NATS,
    default: 10 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    help: 'How long the first connect may take, over all servers.',
  }),

  host: requiredText({ section: LISTENING, default: '0.0.0.0', help: 'Address that clients connect to.' }),
  port: integer({
    section: LISTENING,
    default: 8_080,
    min: 0,
    max: 65_535,
    help: 'Port for clients; 0 takes a free one.',
  }),
  operationsHost: requiredText({
    section: LISTENING,
    default: '0.0.0.0',
    help: 'Address of `/livez`, `/readyz` and `/metrics`. Keep it inside your network.',
  }),
  operationsPort: integer({
    section: LISTENING,
    default: 8_081,
    min: 0,
    max: 65_535,
    help: 'Port of health and metrics; 0 takes a free one.',
  }),

  tokenSecret: text({
    section: TOKENS,
    isSecret: true,
    help: 'Shared secret for HS256, HS384 and HS512; at least 32 bytes. Exactly one source of keys must be given.',
  }),
  tokenSecretFile: text({
    section: TOKENS,
    accepts: 'path',
    help: 'File with the shared secret; a line break at its end does not count.',
  }),
  tokenPublicKey: text({
    section: TOKENS,
    accepts: 'PEM or JWK',
    isSecret: true,
    help: 'Public key (RSA of 2048 bits or more, P-256, P-384, P-521, Ed25519) or certificate. `\\n` stands for a line break.',
  }),
  tokenPublicKeyFile: text({ section: TOKENS, accepts: 'path', help: 'File with the public key, PEM or JWK.' }),
  tokenJwksUrl: text({
    section: TOKENS,
    accepts: 'https URL',
    help: 'JSON Web Key Set of the identity provider. Plain http only on the same machine.',
  }),
  tokenIssuer: list({ section: TOKENS, default: [], help: 'Accepted `iss` values; none given: any.' }),
  tokenAudience: list({
    section: TOKENS,
    default: [],
    help: 'Accepted `aud` values; none given: any. Set it where the identity provider serves other systems too.',
  }),
  tokenAlgorithms: list({
    section: TOKENS,
    default: [],
    help: 'Accepted signature algorithms; none given: all that fit the kind of key. `none` is never accepted.',
  }),
  tokenClockToleranceMs: integer({
    section: TOKENS,
    default: 5 * SECOND,
    min: 0,
    max: 5 * MINUTE,
    help: 'How far the clocks of token issuer and gateway may differ.',
  }),
  tokenMaxBytes: integer({
    section: TOKENS,
    default: 16 * KiB,
    min: 256,
    max: 16 * KiB,
    help: 'Longer tokens are refused unread.',
  }),
  tokenInQuery: flag({
    section: TOKENS,
    default: false,
    help: 'Accept `?token=` in the URL, for old apps. Proxies tend to log URLs: prefer hello or the Authorization header.',
  }),
  tokenExpiringMs: integer({
    section: TOKENS,
    default: MINUTE,
    min: 0,
    max: HOUR,
    help: 'How long before its token expires a connection is told.',
  }),
  jwksTimeoutMs: integer({
    section: TOKENS,
    default: 5 * SECOND,
    min: 100,
    max: MINUTE,
    help: 'How long fetching the key set may take.',
  }),
  jwksCooldownMs: integer({
    section: TOKENS,
    default: 30 * SECOND,
    min: 0,
    max: HOUR,
    help: 'A key that is not in the set makes it be fetched again, at most this often.',
  }),
  jwksMaxAgeMs: integer({
    section: TOKENS,
    default: 10 * MINUTE,
    min: SECOND,
    max: 24 * HOUR,
    help: 'The key set is fetched again after this time: a revoked key is accepted no longer than that.',
  }),
  subjectEncoding: choice({
    section: TOKENS,
    choices: SUBJECT_ENCODINGS,
    default: 'none',
    help: '`percent` spells claims that no NATS subject can carry (`auth0|a.b` as `auth0|a%2Eb`): each of `. * > : %`, whitespace and control characters as %XX of its UTF-8 bytes. Producers must write their subjects the same way.',
  }),

  catalogue: requiredText({
    section: EVENTS,
    default: 'rez',
    accepts: '`rez`, `orders` or the path of a module',
    help: 'What there is to subscribe to: a shipped catalogue (the whole reference domain, or its orders alone), or an ES module that exports `catalogue`.',
  }),
  grantsBucket: requiredText({
    section: EVENTS,
    default: 'grants',
    refuse: (value) => (/^[A-Za-z0-9_-]+$/.test(value) ? undefined : 'must be letters, digits, `_` and `-`'),
    help: 'Key-value bucket of memberships. Read only where the catalogue has channels that take a grant; it must exist then.',
  }),
  presenceBucket: requiredText({
    section: EVENTS,
    default: PRESENCE_BUCKET,
    refuse: (value) => (/^[A-Za-z0-9_-]+$/.test(value) ? undefined : 'must be the name of a key-value bucket'),
    help: 'Key-value bucket (stream `KV_<name>`) in which pods keep who is online. Only needed where the catalogue has presence.',
  }),
  presenceLingerMs: integer({
    section: EVENTS,
    default: 3 * SECOND,
    min: 0,
    max: MINUTE,
    help: 'How long a user whose last device has gone still counts as online, so that a reconnection is not told.',
  }),
  presenceLeaseMs: integer({
    section: EVENTS,
    default: 4 * SECOND,
    min: 100,
    max: MINUTE,
    help: 'How often a pod writes that it lives, which stands for all of its users.',
  }),
  presenceDeadAfterMs: integer({
    section: EVENTS,
    default: 16 * SECOND,
    min: 500,
    max: 10 * MINUTE,
    help: 'After such a time without that, by the clock of NATS, another pod tells that its users are offline. At least three times the interval.',
  }),
  tailSeconds: integer({
    section: EVENTS,
    default: 60,
    min: 0,
    max: 24 * 3_600,
    help: 'How far back the tail (the newest events, in memory) is filled at start.',
  }),
  tailMaxBytes: integer({
    section: EVENTS,
    default: 64 * MiB,
    min: MiB,
    max: 16 * 1_024 * MiB,
    help: 'Bytes of all tails of the pod. 64 MiB hold about 200,000 events.',
  }),
  validate: choice({
    section: EVENTS,
    choices: VALIDATE,
    default: 'all',
    help: 'Which events are checked against their schema. Malformed bytes never pass, whatever is set here.',
  }),
  onInvalid: choice({
    section: EVENTS,
    choices: ON_INVALID,
    default: 'drop',
    help: 'What happens to an event that is well formed but breaks its schema. It is counted and logged either way.',
  }),

  flushIntervalMs: integer({
    section: CONNECTIONS,
    default: 5,
    min: 0,
    max: SECOND,
    help: 'A busy channel is flushed at most this often; a quiet one at once.',
  }),
  pingIntervalMs: integer({
    section: CONNECTIONS,
    default: 25 * SECOND,
    min: SECOND,
    max: 5 * MINUTE,
    help: 'Pings carry how far the streams have come, and find dead links: silence of twice this ends a connection.',
  }),
  helloTimeoutMs: integer({
    section: CONNECTIONS,
    default: 5 * SECOND,
    min: 100,
    max: 5 * MINUTE,
    help: 'How long a connection may stay without a hello.',
  }),
  unauthenticatedMaxBytes: integer({
    section: CONNECTIONS,
    default: 64 * KiB,
    min: KiB,
    max: 1_000_000,
    help: 'What a connection may send before its token is verified.',
  }),
  maxFrameBytes: integer({
    section: CONNECTIONS,
    default: 1_000_000,
    min: KiB,
    max: 1_000_000,
    help: 'Longest message of a client.',
  }),
  socketBudgetBytes: integer({
    section: CONNECTIONS,
    default: 256 * KiB,
    min: 16 * KiB,
    max: 64 * MiB,
    help: 'Bytes that may wait in one socket. Beyond it the client falls behind and reads the log when it catches up.',
  }),
  compression: flag({
    section: CONNECTIONS,
    default: false,
    help: 'permessage-deflate. Costs CPU per message and memory per connection.',
  }),
  snapshotMaxStates: integer({
    section: CONNECTIONS,
    default: 200,
    min: 1,
    max: 1_024,
    help: 'How many states a subscription begins with at most; the newest ones.',
  }),

  maxConnections: integer({
    section: LIMITS,
    default: 100_000,
    min: 1,
    max: 10_000_000,
    help: 'Connections per pod.',
  }),
  maxConnectionsPerUser: integer({
    section: LIMITS,
    default: 32,
    min: 1,
    max: 1_000_000,
    help: 'Connections of one user to this pod.',
  }),
  maxSubscriptionsPerSocket: integer({
    section: LIMITS,
    default: 128,
    min: 1,
    max: 100_000,
    help: 'Subscriptions of one connection.',
  }),
  maxSubscriptionsPerUser: integer({
    section: LIMITS,
    default: 1_024,
    min: 1,
    max: 10_000_000,
    help: 'Subscriptions of one user over all its connections to this pod.',
  }),
  subscribesPerSecond: integer({
    section: LIMITS,
    default: 50,
    min: 1,
    max: 100_000,
    help: 'Subscribe requests of one connection, on average.',
  }),
  subscribeBurst: integer({
    section: LIMITS,
    default: 256,
    min: 1,
    max: 1_000_000,
    help: 'Subscribe requests of one connection at once, as after a reconnect.',
  }),
  subscribesPerSecondPerUser: integer({
    section: LIMITS,
    default: 200,
    min: 1,
    max: 1_000_000,
    help: 'Subscribe requests of one user over all its connections to this pod, on average.',
  }),
  subscribeBurstPerUser: integer({
    section: LIMITS,
    default: 1_024,
    min: 1,
    max: 10_000_000,
    help: 'Subscribe requests of one user over all its connections at once.',
  }),
  maxQueuedBytesPerUser: integer({
    section: LIMITS,
    default: 4 * MiB,
    min: 16 * KiB,
    max: 1_024 * MiB,
    help: 'Bytes that may wait in the sockets of one user.',
  }),
  coldReadsPerStream: integer({
    section: LIMITS,
    default: 4,
    min: 1,
    max: 256,
    help: 'Reads of events older than the tail that run at once per stream. They slow down publishing.',
  }),
  coldReadsPerUser: integer({
    section: LIMITS,
    default: 2,
    min: 1,
    max: 256,
    help: 'Reads of events older than the tail that run at once for one user.',
  }),
  coldReadMaxBytes: integer({
    section: LIMITS,
    default: 16 * MiB,
    min: 512 * KiB,
    max: 1_024 * MiB,
    help: 'Bytes that all such reads of the pod may have under way.',
  }),
  ephemeralPerSecond: integer({
    section: LIMITS,
    default: 5_000,
    min: 1,
    max: 1_000_000,
    help: 'Ephemeral events (typing) that somebody on this pod listens to, per second; more are dropped and counted.',
  }),

  commandStream: requiredText({
    section: COMMANDS,
    default: COMMAND_STREAM.name,
    refuse: (value) => (/^[A-Za-z0-9_-]+$/.test(value) ? undefined : 'must be the name of a stream'),
    help: 'Stream that keeps commands (`cmd.>`): one message per subject, discard new per subject, at least 26 h. Only needed, and checked, where the catalogue has commands.',
  }),
  commandMaxBytes: integer({
    section: COMMANDS,
    default: 256 * KiB,
    min: KiB,
    max: 1_000_000,
    help: 'Longest command or call, as JSON with what the gateway adds.',
  }),
  commandAckTimeoutMs: integer({
    section: COMMANDS,
    default: 5 * SECOND,
    min: 100,
    max: MINUTE,
    help: 'How long storing a command may take. After it the client is told `unavailable` and may send it again.',
  }),
  requestsPerSecond: integer({
    section: COMMANDS,
    default: 20,
    min: 1,
    max: 100_000,
    help: 'Commands and calls of one connection, on average.',
  }),
  requestBurst: integer({
    section: COMMANDS,
    default: 200,
    min: 1,
    max: 1_000_000,
    help: 'Commands and calls of one connection at once, as from a queue that was kept while offline.',
  }),
  requestsPerSecondPerUser: integer({
    section: COMMANDS,
    default: 50,
    min: 1,
    max: 1_000_000,
    help: 'Commands and calls of one user over all its connections to this pod, on average.',
  }),
  requestBurstPerUser: integer({
    section: COMMANDS,
    default: 400,
    min: 1,
    max: 10_000_000,
    help: 'Commands and calls of one user over all its connections at once.',
  }),
  maxRequestsInFlightPerSocket: integer({
    section: COMMANDS,
    default: 128,
    min: 1,
    max: 100_000,
    help: 'Commands and calls of one connection that are under way at once.',
  }),
  maxRequestsInFlightPerUser: integer({
    section: COMMANDS,
    default: 256,
    min: 1,
    max: 1_000_000,
    help: 'The same, of one user over all its connections to this pod.',
  }),
  maxRequestsInFlight: integer({
    section: COMMANDS,
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: 'The same, of all connections of the pod.',
  }),
  maxRequestBytesInFlight: integer({
    section: COMMANDS,
    default: 64 * MiB,
    min: MiB,
    max: 16 * 1_024 * MiB,
    help: 'Bytes of all commands and calls of the pod that are under way. One user may take an eighth of it, one connection a sixteenth.',
  }),

  drainWindowMs: integer({
    section: OPERATION,
    default: 10 * SECOND,
    min: 0,
    max: HOUR,
    help: 'On shutdown, clients are asked to reconnect at a random moment within this window.',
  }),
  shutdownTimeoutMs: integer({
    section: OPERATION,
    default: 25 * SECOND,
    min: 0,
    max: MAX_TIMER_MS,
    help: 'After this time a shutdown stops waiting. Keep it below the grace period of your orchestrator.',
  }),
  readyRedAfterMs: integer({
    section: OPERATION,
    default: 15 * SECOND,
    min: SECOND,
    max: HOUR,
    help: 'How long a ready pod may miss what makes it ready before it says so. An election takes 5 to 8 s and must not turn all pods red at once.',
  }),
  canaryStream: text({
    section: OPERATION,
    help: 'Stream (subjects `sluice.>`) through which the pod sends itself an event every 2 s: ready then means that one came back. None: readiness rests on the readers alone.',
  }),
  logLevel: choice({ section: OPERATION, choices: LOG_LEVELS, default: 'info', help: 'Least level that is logged.' }),
  logPretty: flag({ section: OPERATION, default: false, help: 'Lines for people instead of JSON.' }),
};

/** Variables that other parts of the project read: the gateway neither knows nor refuses them. */
export const FOREIGN_VARIABLES: readonly string[] = [
  'SLUICE_CONFIG',
  'SLUICE_TEST_',
  'SLUICE_BENCH_',
  'SLUICE_CACHE_DIR',
  'SLUICE_NATS_ARCHIVE_URL',
  'SLUICE_NATS_CLI_ARCHIVE_URL',
  'SLUICE_NATS_IMAGE',
  'SLUICE_DEPLOY_',
];
