// Boot check of every stream before its first consumer: what a shared, ack-none reader must not be put on. Reports all
// faults of all streams at once. Knows no catalogue: it gets names.

import { createHash } from 'node:crypto';
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
  | 'stream_silent_expiry'; // grants that end without a message would go on for ever

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

/** Throws streams_unfit, with details.faults naming every fault, unless each stream can be served. */
export async function checkStreams(link: NatsLink, streams: readonly string[]): Promise<readonly StreamCheck[]> {
  const faults: StreamFault[] = [];
  const checks: StreamCheck[] = [];
  const outcomes = await Promise.all(streams.map((stream) => checkStream(link, stream)));
  for (const outcome of outcomes) {
    faults.push(...outcome.faults);
    if (outcome.check !== undefined) checks.push(outcome.check);
  }
  if (faults.length > 0) {
    throw new GatewayError('streams_unfit', faults.map((fault) => fault.message).join('; '), { details: { faults } });
  }
  return checks;
}

async function checkStream(
  link: NatsLink,
  stream: string,
): Promise<{ readonly faults: readonly StreamFault[]; readonly check?: StreamCheck }> {
  let reading: StreamReading;
  try {
    reading = await readStream(link, stream, READ_TIMEOUT_MS);
  } catch (error) {
    if (isApiError(error, ApiCode.streamNotFound)) {
      return { faults: [{ stream, code: 'stream_missing', message: `stream ${stream} does not exist` }] };
    }
    const reason = error instanceof Error ? error.message : String(error);
    return { faults: [{ stream, code: 'stream_unreadable', message: `stream ${stream} cannot be read: ${reason}` }] };
  }
  const faults = faultsOf(stream, reading.config);
  return { faults, check: { stream, reading, epoch: epochOf(stream, reading.created) } };
}

/** Pure. Faults of a stream's configuration, in words that say what to change. */
export function faultsOf(stream: string, config: Readonly<Record<string, unknown>>): readonly StreamFault[] {
  const faults: StreamFault[] = [];
  const add = (code: StreamFaultCode, message: string): void => {
    faults.push({ stream, code, message: `stream ${stream}: ${message}` });
  };
  const retention = text(config['retention']) || 'limits';
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
  const subjects = Array.isArray(config['subjects']) ? config['subjects'].map(text) : [];
  for (const subject of subjects) {
    if (coversEphemeral(subject)) {
      add('stream_stores_ephemeral', `subject "${subject}" covers ${EPHEMERAL_ROOT}.>, which must not be stored`);
    }
  }
  return faults;
}

function coversEphemeral(subject: string): boolean {
  const [first, ...rest] = subject.split('.');
  return first === '>' || (rest.length > 0 && (first === '*' || first === EPHEMERAL_ROOT));
}
