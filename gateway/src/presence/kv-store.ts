// Presence in JetStream: a key-value bucket for leases and entries, the catalogue's stream for what has been told. Knows
// subjects, headers and conditional writes; decides nothing.
import type { PresenceTransitions } from '@sluice/schemas';
import { GatewayError } from '../errors.ts';
import { bucketStream } from '../log/bucket.ts';
import { DirectGet } from '../log/direct-get.ts';
import { asObject, askApi, number, readFromLeader, text, type StoredMessage } from '../log/jetstream-api.ts';
import type { StoredEvent } from '../log/cold-contract.ts';
import type { NatsLink } from '../log/nats.ts';
import type { Clock } from '../operations/clock.ts';
import type { Lease, LeaseState, PresenceStore, Told, UserState } from './store.ts';

export interface KvStoreOptions {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly bucket: string;
  /** Absent: nothing is told, only leases are kept. */
  readonly transitions?: PresenceTransitions;
  /** Whether the bucket takes a time to live per message (server 2.11, and a setting of the stream). */
  readonly hasTtl: boolean;
  /** How long a pod may be dead before the others notice, about. */
  readonly deadAfterMs: number;
}

const TIMEOUT_MS = 3_000;
/** At least, and twice as long as a pod may be dead unnoticed: until then a removed entry still shows among those of its pod. */
const MIN_MARKER_MS = 120_000;
const LEASES_AT_ONCE = 256;
/** Wrong last sequence, in the two ways in which servers say it. */
const CONFLICTS: readonly unknown[] = [10_071, 10_164];
const STATES: readonly string[] = ['alive', 'left', 'dead'] satisfies readonly LeaseState[];

type Headers = Readonly<Record<string, string>>;

export class KvStore implements PresenceStore {
  readonly #options: KvStoreOptions;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #direct: DirectGet;

  constructor(options: KvStoreOptions) {
    this.#options = options;
    this.#stream = bucketStream(options.bucket);
    this.#prefix = `$KV.${options.bucket}`;
    this.#direct = new DirectGet(options.link, options.clock);
  }

  close(): void {
    this.#direct.close();
  }

  async putEntry(user: string, pod: string): Promise<void> {
    await this.#publish(this.#entry(user, pod), '{}', {});
  }

  async removeEntry(user: string, pod: string): Promise<void> {
    await this.#publish(this.#entry(user, pod), '', this.#markerHeaders());
  }

  async podsOf(user: string): Promise<readonly string[]> {
    const filter = this.#entry(user, '*');
    const pods: string[] = [];
    // An entry that is written meanwhile is the last one then: it is read as well.
    for (let seq = 1; ;) {
      const entry = await readFromLeader(this.#link, this.#stream, { seq, next_by_subj: filter }, TIMEOUT_MS);
      if (entry === undefined) return pods;
      if (!isMarker(entry)) pods.push(lastToken(entry.subject));
      seq = entry.sequence + 1;
    }
  }

  async usersOf(pod: string): Promise<readonly string[]> {
    const users: string[] = [];
    for (;;) {
      const request = { subjects_filter: this.#entry('*', pod), offset: users.length };
      const answer = await askApi(this.#link, `STREAM.INFO.${this.#stream}`, request, TIMEOUT_MS);
      const cluster = asObject(answer['cluster']);
      if (cluster !== undefined && text(cluster['leader']) === '')
        throw new GatewayError('nats_no_leader', `nobody leads ${this.#stream}`);
      const subjects = Object.keys(asObject(asObject(answer['state'])?.['subjects']) ?? {});
      for (const subject of subjects) users.push(subject.split('.').at(-2) ?? '');
      if (subjects.length === 0 || users.length >= number(answer['total'])) return users;
    }
  }

  async readTold(user: string): Promise<Told> {
    const { transitions } = this.#options;
    if (!transitions) return { online: 0, offline: 0 };
    const read = async (state: UserState): Promise<number> => {
      const subject = eventSubject(transitions, user, state);
      const event = await readFromLeader(this.#link, transitions.stream, { last_by_subj: subject }, TIMEOUT_MS);
      return event?.sequence ?? 0;
    };
    const [online, offline] = await Promise.all([read('online'), read('offline')]);
    return { online, offline };
  }

  async tell(user: string, state: UserState, after: number): Promise<boolean> {
    const { transitions, clock } = this.#options;
    if (!transitions) return true;
    const payload = JSON.stringify({ [transitions.key]: user, timestamp: new Date(clock.now()).toISOString() });
    return (await this.#publish(eventSubject(transitions, user, state), payload, {}, after)) !== undefined;
  }

  writeLease(pod: string, state: LeaseState, after: number): Promise<number | undefined> {
    return this.#publish(this.#lease(pod), JSON.stringify({ state }), {}, after);
  }

  async removeLease(pod: string, after: number): Promise<void> {
    await this.#publish(this.#lease(pod), '', this.#markerHeaders(), after);
  }

  async readLease(pod: string): Promise<Lease | undefined> {
    const found = await readFromLeader(this.#link, this.#stream, { last_by_subj: this.#lease(pod) }, TIMEOUT_MS);
    return found && toLease(found);
  }

  async listLeases(): Promise<readonly Lease[]> {
    const leases: Lease[] = [];
    for (let seq = 1; ;) {
      const page = await this.#page(seq);
      for (const event of page.events) {
        const lease = toLease(event);
        if (lease) leases.push(lease);
      }
      if (!page.hasMore) return leases;
      seq = page.events.at(-1)!.sequence + 1;
    }
  }

  async #page(seq: number): Promise<{ readonly events: readonly StoredEvent[]; readonly hasMore: boolean }> {
    const filter = this.#lease('*');
    if (!this.#direct.knowsBatches) {
      const event = await this.#direct.single(this.#stream, { seq, next_by_subj: filter });
      return { events: event ? [event] : [], hasMore: event !== undefined };
    }
    const answer = await this.#direct.batch(this.#stream, { seq, next_by_subj: filter, batch: LEASES_AT_ONCE });
    if (answer.kind === 'single') return { events: [answer.event], hasMore: true };
    if (answer.kind !== 'batch') return { events: [], hasMore: false };
    return { events: answer.events, hasMore: answer.pending > 0 && answer.events.length > 0 };
  }

  get #link(): NatsLink {
    return this.#options.link;
  }

  #entry(user: string, pod: string): string {
    return `${this.#prefix}.user.${user}.${pod}`;
  }

  #lease(pod: string): string {
    return `${this.#prefix}.lease.${pod}`;
  }

  #markerHeaders(): Headers {
    const { hasTtl, deadAfterMs } = this.#options;
    const ttlMs = Math.max(MIN_MARKER_MS, 2 * deadAfterMs);
    return { 'KV-Operation': 'DEL', ...(hasTtl && { 'Nats-TTL': `${Math.ceil(ttlMs / 1_000)}s` }) };
  }

  /** The stored sequence; undefined if the subject's last one is not `after`, where that is given. */
  async #publish(subject: string, payload: string, headers: Headers, after?: number): Promise<number | undefined> {
    const all = after === undefined ? headers : { ...headers, 'Nats-Expected-Last-Subject-Sequence': String(after) };
    const message = await this.#link.request(subject, payload, TIMEOUT_MS, all);
    const ack = parseAck(message.data);
    if (ack.sequence !== undefined) return ack.sequence;
    if (after !== undefined && CONFLICTS.includes(ack.apiCode)) return undefined;
    throw new GatewayError('nats_refused', `a write to ${subject} was refused: ${ack.reason}`, {
      details: { subject, apiCode: ack.apiCode },
    });
  }
}

const eventSubject = ({ prefix, online, offline }: PresenceTransitions, user: string, state: UserState): string =>
  `${prefix}.${user}.${state === 'online' ? online : offline}`;

interface Ack {
  readonly sequence: number | undefined;
  readonly apiCode: unknown;
  readonly reason: string;
}

const parseAck = (bytes: Uint8Array): Ack => {
  const answer = parseObject(bytes);
  const error = asObject(answer['error']);
  if (error !== undefined) {
    return { sequence: undefined, apiCode: error['err_code'], reason: text(error['description']) };
  }
  const sequence = number(answer['seq']);
  return sequence > 0
    ? { sequence, apiCode: undefined, reason: '' }
    : { sequence: undefined, apiCode: undefined, reason: 'no acknowledgement' };
};

/** Undefined for markers, and for what nobody of us wrote. */
const toLease = ({ subject, sequence, timeMs, payload }: Omit<StoredEvent, 'isMarker'>): Lease | undefined => {
  const state = text(parseObject(payload)['state']);
  if (!STATES.includes(state)) return undefined;
  return { pod: lastToken(subject), state: state as LeaseState, sequence, timeMs };
};

const parseObject = (bytes: Uint8Array): Readonly<Record<string, unknown>> => {
  try {
    return asObject(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))) ?? {};
  } catch {
    return {};
  }
};

/** Entries have a value; what removes one has none. */
const isMarker = ({ payload }: StoredMessage): boolean => payload.length === 0;

const lastToken = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);
