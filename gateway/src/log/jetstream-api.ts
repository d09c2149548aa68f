// Asks the JetStream API over a link, with raw requests: our own deadlines, only fields that every supported server
// knows (2.12 refuses unknown ones), and answers reduced to what the gateway uses.

import { GatewayError } from '../errors.ts';
import { storeTimeMs } from './message-bytes.ts';
import type { NatsLink } from './nats.ts';

export const API = '$JS.API';

/** err_code of JetStream API errors that mean something to us. */
export const ApiCode = {
  noMessageFound: 10_037,
  streamNotFound: 10_059,
  consumerNotFound: 10_014,
  maxConsumers: 10_026,
} as const;

export interface StreamReading {
  readonly created: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly messages: number;
  readonly bytes: number;
  /** Names a cluster leader, or is unclustered. An isolated follower answers old figures without one. */
  readonly hasLeader: boolean;
  /** Time at the server, where it tells (2.10). */
  readonly serverTimeMs: number | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly consumers: number;
}

export interface StoredMessage {
  readonly sequence: number;
  readonly timeMs: number;
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Header block as Latin-1 text, without anything that the server adds on delivery. */
  readonly headers: string;
}

export interface ConsumerStart {
  readonly name: string;
  readonly deliverSubject: string;
  readonly from: { readonly sequence: number } | { readonly timeMs: number };
  readonly heartbeatMs: number;
  readonly inactiveThresholdMs: number;
}

export interface ConsumerReading {
  /** Not yet delivered when the server answered. */
  readonly pending: number;
  readonly deliveredStreamSequence: number;
  readonly deliveredConsumerSequence: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Throws nats_refused with details.apiCode if the answer carries an error. */
export async function askApi(link: NatsLink, subject: string, request: Json, timeoutMs: number): Promise<Json> {
  const payload = Object.keys(request).length === 0 ? '' : JSON.stringify(request);
  const message = await link.request(`${API}.${subject}`, payload, timeoutMs);
  const answer = toJson(message.data, subject);
  const error = asObject(answer['error']);
  if (error !== undefined) {
    throw new GatewayError('nats_refused', text(error['description']) || 'refused by JetStream', {
      details: { subject, apiCode: error['err_code'], status: error['code'] },
    });
  }
  return answer;
}

export function isApiError(error: unknown, apiCode: number): boolean {
  return error instanceof GatewayError && error.code === 'nats_refused' && error.details['apiCode'] === apiCode;
}

export async function readStream(link: NatsLink, stream: string, timeoutMs: number): Promise<StreamReading> {
  const answer = await askApi(link, `STREAM.INFO.${stream}`, {}, timeoutMs);
  const state = asObject(answer['state']) ?? {};
  const cluster = asObject(answer['cluster']);
  const created = text(answer['created']);
  if (created === '') throw new GatewayError('nats_bad_answer', `no "created" in the info of stream ${stream}`);
  return {
    created,
    firstSequence: number(state['first_seq']),
    lastSequence: number(state['last_seq']),
    messages: number(state['messages']),
    bytes: number(state['bytes']),
    consumers: number(state['consumer_count']),
    hasLeader: cluster === undefined || text(cluster['leader']) !== '',
    serverTimeMs: text(answer['ts']) === '' ? undefined : storeTimeMs(text(answer['ts'])),
    config: asObject(answer['config']) ?? {},
  };
}

/** A read from the stream's leader, which an isolated follower refuses. Undefined if there is no such message. */
export async function readFromLeader(
  link: NatsLink,
  stream: string,
  query:
    | { readonly seq: number }
    | { readonly last_by_subj: string }
    | { readonly seq: number; readonly next_by_subj: string },
  timeoutMs: number,
): Promise<StoredMessage | undefined> {
  let answer: Json;
  try {
    answer = await askApi(link, `STREAM.MSG.GET.${stream}`, { ...query }, timeoutMs);
  } catch (error) {
    if (isApiError(error, ApiCode.noMessageFound)) return undefined;
    throw error;
  }
  const message = asObject(answer['message']);
  if (message === undefined) throw new GatewayError('nats_bad_answer', `no message in the answer of stream ${stream}`);
  return {
    sequence: number(message['seq']),
    timeMs: storeTimeMs(text(message['time'])),
    subject: text(message['subject']),
    payload: Buffer.from(text(message['data']), 'base64'),
    headers: Buffer.from(text(message['hdrs']), 'base64').toString('latin1'),
  };
}

/** Ephemeral push consumer of the whole stream: R1, in memory, ack none, flow control, heartbeats. */
export async function createPushConsumer(
  link: NatsLink,
  stream: string,
  start: ConsumerStart,
  timeoutMs: number,
): Promise<ConsumerReading> {
  const from =
    'sequence' in start.from
      ? { deliver_policy: 'by_start_sequence', opt_start_seq: start.from.sequence }
      : { deliver_policy: 'by_start_time', opt_start_time: new Date(start.from.timeMs).toISOString() };
  const answer = await askApi(
    link,
    `CONSUMER.CREATE.${stream}.${start.name}`,
    {
      stream_name: stream,
      config: {
        name: start.name,
        deliver_subject: start.deliverSubject,
        ...from,
        ack_policy: 'none',
        max_deliver: 1,
        replay_policy: 'instant',
        flow_control: true,
        idle_heartbeat: start.heartbeatMs * 1_000_000,
        inactive_threshold: start.inactiveThresholdMs * 1_000_000,
        mem_storage: true,
        num_replicas: 1,
      },
    },
    timeoutMs,
  );
  const delivered = asObject(answer['delivered']) ?? {};
  return {
    pending: number(answer['num_pending']),
    deliveredStreamSequence: number(delivered['stream_seq']),
    deliveredConsumerSequence: number(delivered['consumer_seq']),
  };
}

/** Best effort: a consumer that is left over ends by its inactive threshold. */
export async function deleteConsumer(link: NatsLink, stream: string, name: string, timeoutMs: number): Promise<void> {
  try {
    await askApi(link, `CONSUMER.DELETE.${stream}.${name}`, {}, timeoutMs);
  } catch {
    // Gone already, or not reachable; see above.
  }
}

export function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function toJson(payload: Uint8Array, subject: string): Json {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8'));
  } catch (error) {
    throw new GatewayError('nats_bad_answer', `the answer to ${subject} is not JSON`, { cause: error });
  }
  const object = asObject(parsed);
  if (object === undefined) throw new GatewayError('nats_bad_answer', `the answer to ${subject} is no object`);
  return object;
}
