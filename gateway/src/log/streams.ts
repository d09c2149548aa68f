// Boot check of every stream before its first consumer: what a shared, ack-none reader must not be put on. Reports all
// faults of all streams at once. Knows no catalogue: it gets names.

import { createHash } from 'node:crypto';
import { COMMAND_STREAM } from '@sluice/schemas';
import { GatewayError } from '../errors.ts';
import { ApiCode, isApiError, number, readStream, text } from './jetstream-api.ts';
import type { StreamReading } from './jetstream-api.ts';
import type { NatsLink } from './nats.ts';

export type StreamFaultCode =
  | 'stream_missing'
  | 'stream_unreadable' // no valid answer in time: details in message
  | 'stream_retention' // an ack-none reader on an interest stream deletes its events; a work queue refuses it
  | 'stream_no_direct' // without allow_direct nobody answers cold reads
  | 'stream_max_consumers' // no room for a reader per pod
  | 'stream_stores_ephemeral' // typing events must never get a sequence
  | 'stream_silent_expiry' // grants that end without a message would go on for ever
  // of the stream of commands:
  | 'stream_subjects' // it does not take cmd.>
  | 'stream_repeats' // a second one of a (user, name, id) would be stored
  | 'stream_forgets' // an id would be free again before services have forgotten it
  | 'stream_no_ack'; // nothing is acknowledged

export interface StreamFault {
  readonly stream: string;
  readonly code: StreamFaultCode;
  readonly message: string;
}

export interface StreamCheck {
  readonly stream: string;
  readonly reading: StreamReading;
  readonly epoch: string;
}

/** One reader and one incarnation in the making, for each of a small fleet's pods. */
const MIN_CONSUMERS = 64;
const READ_TIMEOUT_MS = 5_000;
const EPHEMERAL_ROOT = 'eph';

/** Short hash that names one life of a stream: deleting and creating it again makes another one. */
export function epochOf(name: string, created: string): string {
  return createHash('sha256').update(`${name}\n${created}`).digest('base64url').slice(0, 8);
}

/**
 * Throws streams_unfit, with details.faults naming every fault, unless each stream can be served. The stream of commands
 * is asked for other things than those that are read.
 */
export async function checkStreams(
  link: NatsLink,
  streams: readonly string[],
  commandStream?: string,
): Promise<readonly StreamCheck[]> {
  const faults: StreamFault[] = [];
  const checks: StreamCheck[] = [];
  const outcomes = await Promise.all([
    ...streams.map((stream) => checkStream(link, stream, faultsOf)),
    ...(commandStream === undefined ? [] : [checkStream(link, commandStream, commandFaultsOf)]),
  ]);
  for (const outcome of outcomes) {
    faults.push(...outcome.faults);
    if (outcome.check !== undefined) checks.push(outcome.check);
  }
  if (faults.length > 0) throw unfit(faults);
  return checks;
}

async function checkStream(
  link: NatsLink,
  stream: string,
  judge: typeof faultsOf,
): Promise<{ readonly faults: readonly StreamFault[]; readonly check?: StreamCheck }> {
  let reading: StreamReading;
  try {
    reading = await readStream(link, stream, READ_TIMEOUT_MS);
  } catch (error) {
    return { faults: [readFault(stream, error)] };
  }
  const faults = judge(stream, reading.config);
  return { faults, check: { stream, reading, epoch: epochOf(stream, reading.created) } };
}

export const unfit = (faults: readonly StreamFault[]): GatewayError =>
  new GatewayError('streams_unfit', faults.map(({ message }) => message).join('; '), { details: { faults } });

/** Why a stream could not be read; `called` is what it is called where there is none. */
export const readFault = (stream: string, error: unknown, called: string = `stream ${stream}`): StreamFault => {
  if (isApiError(error, ApiCode.streamNotFound))
    return { stream, code: 'stream_missing', message: `${called} does not exist` };
  const reason = error instanceof Error ? error.message : String(error);
  return { stream, code: 'stream_unreadable', message: `stream ${stream} cannot be read: ${reason}` };
};

/** Faults of one stream, each message headed by its name. */
export interface FaultList {
  readonly faults: readonly StreamFault[];
  readonly add: (code: StreamFaultCode, message: string) => void;
}

export const faultList = (stream: string): FaultList => {
  const faults: StreamFault[] = [];
  return {
    faults,
    add: (code, message) => void faults.push({ stream, code, message: `stream ${stream}: ${message}` }),
  };
};

type Config = StreamReading['config'];

export const retentionOf = (config: Config): string => text(config['retention']) || 'limits';
export const subjectsOf = (config: Config): readonly string[] =>
  Array.isArray(config['subjects']) ? config['subjects'].map(text) : [];

/** Pure. Faults of a stream's configuration, in words that say what to change. */
export function faultsOf(stream: string, config: Config): readonly StreamFault[] {
  const { faults, add } = faultList(stream);
  const retention = retentionOf(config);
  if (retention !== 'limits') {
    add('stream_retention', `retention is "${retention}", but only "limits" keeps events that a reader has seen`);
  }
  if (config['allow_direct'] !== true) {
    add('stream_no_direct', 'allow_direct is off; without it nobody answers reads of older events');
  }
  const maxConsumers = number(config['max_consumers']);
  if (maxConsumers > 0 && maxConsumers < MIN_CONSUMERS) {
    add('stream_max_consumers', `max_consumers is ${maxConsumers}; leave it unset or at least ${MIN_CONSUMERS}`);
  }
  for (const subject of subjectsOf(config)) {
    if (coversEphemeral(subject)) {
      add('stream_stores_ephemeral', `subject "${subject}" covers ${EPHEMERAL_ROOT}.>, which must not be stored`);
    }
  }
  return faults;
}

const NS_PER_MS = 1_000_000;

/** Pure. What would let a command be applied twice, or be acknowledged and lost (I6). */
export function commandFaultsOf(stream: string, config: Config): readonly StreamFault[] {
  const { faults, add } = faultList(stream);
  const [wanted] = COMMAND_STREAM.subjects;
  if (!subjectsOf(config).some((subject) => subject === wanted || subject === '>')) {
    add('stream_subjects', `its subjects do not include "${wanted}"`);
  }
  const retention = retentionOf(config);
  if (retention !== 'limits') {
    add(
      'stream_retention',
      `retention is "${retention}", but only "limits" keeps the ids of commands that were handled`,
    );
  }
  if (number(config['max_msgs_per_subject']) !== 1 || text(config['discard']) !== 'new') {
    add('stream_repeats', 'max_msgs_per_subject must be 1 and discard "new"');
  }
  if (config['discard_new_per_subject'] !== true) {
    add('stream_repeats', 'discard_new_per_subject is off; a second command of the same id would replace the first');
  }
  const maxAgeMs = number(config['max_age']) / NS_PER_MS;
  if (maxAgeMs > 0 && maxAgeMs < COMMAND_STREAM.maxAgeMs) {
    add('stream_forgets', `max_age is ${maxAgeMs / 3_600_000} h; ids are kept for at least 26 h`);
  }
  if (config['no_ack'] === true) add('stream_no_ack', 'no_ack is on; nothing could ever be acknowledged');
  return faults;
}

function coversEphemeral(subject: string): boolean {
  const [first, ...rest] = subject.split('.');
  return first === '>' || (rest.length > 0 && (first === '*' || first === EPHEMERAL_ROOT));
}
