// What clients may ask for beside events, and how the pod is watched.
import { COMMAND_STREAM } from '@sluice/schemas';
import { HOUR, KiB, MAX_TIMER_MS, MiB, MINUTE, SECOND } from './units.ts';
import { choice, flag, integer, requiredText, text, type Option } from './values.ts';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface RequestOptions {
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

const COMMANDS = 'Commands and calls';
const OPERATION = 'Operation';

export const REQUESTS: { readonly [K in keyof RequestOptions]: Option<RequestOptions[K]> } = {
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
