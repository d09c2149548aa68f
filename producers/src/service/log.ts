// A service's view of the streams: reads what it folds, publishes what it decides, asks leaders where the memory of what
// was read is not enough. Each question has one answer for all copies.
import { jetstreamManager } from '@nats-io/jetstream';
import { type CatalogueDefinition, type Family, parseSubjectToken } from '@sluice/schemas';
import type { Clock } from '../clock.ts';
import { ProducerError } from '../errors.ts';
import { type EncodedEvent, EventEncoder } from '../event-encoder.ts';
import type { Connection } from '../nats.ts';
import { createPublisher, type Conflict, type PublishOptions } from '../publisher.ts';
import type { Stored } from '../reply.ts';
import { DECISION_HEADER, decodeRemainder, hasMoreEvents, type PlannedEvent, type Remainder } from './decision.ts';
import { type DecodedEvent, EventDecoder, filtersOf, subjectOf } from './event-decoder.ts';
import { grantKey, GRANTS_BUCKET } from '../grants.ts';
import { EventReader, type ReadMessage } from './event-reader.ts';
import type { GrantQuestion } from './definition.ts';
import { History, type Made } from './history.ts';

export interface ServiceLogOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly catalogue: CatalogueDefinition;
  readonly reads: readonly string[];
  readonly guards: Readonly<Record<string, readonly string[]>>;
  readonly inboxPrefix?: string;
  onEvent(event: DecodedEvent, message: ReadMessage, stream: string): void;
}

export interface StreamPlace {
  /** When the stream was made: another one of the same name is another stream. */
  readonly created: string;
  readonly sequence: number;
}

interface AnyPublisher {
  publish(
    type: string,
    keys: Readonly<Record<string, string>>,
    payload: unknown,
    options: PublishOptions,
  ): Promise<Stored | Conflict>;
  close(timeoutMs?: number): Promise<void>;
}

const REACH_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 3_000;
const NO_MESSAGE_FOUND = 10_037;
const NO_STREAM_FOUND = 10_059;

export class ServiceLog {
  readonly history: History = new History();
  readonly #options: ServiceLogOptions;
  readonly #decoder: EventDecoder;
  readonly #encoder: EventEncoder;
  readonly #readers = new Map<string, EventReader>();
  readonly #filters: ReadonlyMap<string, readonly string[]>;
  #publisher: AnyPublisher | undefined;

  constructor(options: ServiceLogOptions) {
    this.#options = options;
    this.#decoder = new EventDecoder(options.catalogue);
    this.#encoder = new EventEncoder(options.catalogue, 'msgpack');
    this.#filters = filtersOf(this.#decoder.families, options.reads);
    for (const name of Object.keys(options.guards)) {
      // Else the guard's newest sequence would not be known.
      if (!options.reads.includes(name)) {
        throw new ProducerError('invalid_option', { path: `guards/${name}`, reason: 'is not read as a whole' });
      }
    }
  }

  /** Resolves when all that was stored before is read; of the streams named here, only what came after. */
  async start(after: ReadonlyMap<string, StreamPlace> = new Map()): Promise<void> {
    const { connection, clock, inboxPrefix } = this.#options;
    const prefix = inboxPrefix === undefined ? {} : { inboxPrefix };
    this.#publisher = (await createPublisher({
      catalogue: this.#options.catalogue,
      connection,
      clock,
      ...prefix,
    })) as unknown as AnyPublisher;
    for (const [stream, filters] of this.#filters) {
      const onMessage = (message: ReadMessage): void => this.#read(stream, message);
      const place = after.get(stream);
      const reader = new EventReader({
        ...{ connection, clock, stream, filters, onMessage, ...prefix },
        ...(place && { after: place.sequence }),
      });
      this.#readers.set(stream, reader);
      // One after the other: a state that is built from two streams sees them in the same order at every start.
      await reader.start();
    }
  }

  /** Which streams these are; how far each is read is told at the time of asking. */
  async identify(): Promise<() => ReadonlyMap<string, StreamPlace>> {
    const created = new Map<string, string>();
    for (const stream of this.#readers.keys()) created.set(stream, (await this.#describe(stream)).created);
    return () =>
      new Map(
        Array.from(this.#readers, ([stream, reader]) => [
          stream,
          { created: created.get(stream) ?? '', sequence: reader.lastSequence },
        ]),
      );
  }

  /** Whether the streams are still those, and hold what is said to be read of them. */
  async areAt(places: ReadonlyMap<string, StreamPlace>): Promise<boolean> {
    for (const stream of this.#filters.keys()) {
      const place = places.get(stream);
      const { created, lastSequence } = await this.#describe(stream);
      if (created !== place?.created || lastSequence < place.sequence) return false;
    }
    return true;
  }

  get families(): ReadonlyMap<string, Family> {
    return this.#decoder.families;
  }

  decode(subject: string, data: Uint8Array): DecodedEvent | undefined {
    return this.#decoder.decode(subject, data);
  }

  family(type: string): Family {
    const family = this.#decoder.families.get(type.split('.')[0]!);
    if (!family) throw new ProducerError('unknown_type', { type });
    return family;
  }

  /** Subject and bytes; throws for what would not be stored, and for what this service would not see again. */
  check(event: PlannedEvent): EncodedEvent {
    const encoded = this.#encoder.encode(event.type, event.keys, event.payload);
    if (!this.isEphemeral(event.type) && !this.#isRead(encoded.stream, encoded.subject)) {
      throw new ProducerError('invalid_option', { type: event.type, reason: 'is written but not in `reads`' });
    }
    return encoded;
  }

  isKnown(type: string): boolean {
    const [family = '', token = ''] = type.split('.');
    return this.#decoder.families.get(family)?.types.has(token) ?? false;
  }

  isEphemeral(type: string): boolean {
    return this.family(type).types.get(type.split('.')[1]!)?.kind === 'ephemeral';
  }

  /** The filter whose newest sequence a decision that begins with this event expects. */
  guardOf(event: PlannedEvent): string {
    const family = this.family(event.type);
    const token = event.type.slice(family.name.length + 1);
    const names = this.#options.guards[family.name];
    if (!names) return subjectOf(family, event.keys, token);
    return subjectOf(family, Object.fromEntries(names.map((name) => [name, event.keys[name]!])), '*');
  }

  async publish(event: PlannedEvent, options: PublishOptions): Promise<Stored | Conflict> {
    if (!this.#publisher) throw new ProducerError('closed', { type: event.type });
    return await this.#publisher.publish(event.type, event.keys, event.payload, options);
  }

  /** At most once, to whoever listens now. */
  publishEphemeral(event: PlannedEvent): void {
    const { subject, bytes } = this.#encoder.encode(event.type, event.keys, event.payload);
    if (!this.#options.connection.isClosed()) this.#options.connection.publish(`eph.${subject}`, bytes);
  }

  /** Resolves when the message is folded. Rejects if it does not come: then nothing can be decided. */
  async reached(stream: string, sequence: number): Promise<void> {
    const isReached = await this.#readers.get(stream)?.reached(sequence, REACH_TIMEOUT_MS);
    if (isReached === false) throw new ProducerError('unavailable', { path: stream, reason: 'the reader is behind' });
  }

  isReading(subject: string, stream: string): boolean {
    return this.#isRead(stream, subject);
  }

  /** After a conflict: resolves when the guard is known as the leader knows it. */
  async catchUpWith(guard: string, stream: string): Promise<void> {
    const known = this.history.sequenceOf(guard);
    const last = (await this.#lastOn(stream, guard))?.sequence ?? 0;
    if (last > this.history.sequenceOf(guard)) await this.reached(stream, last);
    // What was read has expired: the stream knows nothing of it any more. Not so if more was read since the question.
    else if (last < known && this.history.sequenceOf(guard) === known) this.history.correct(guard, last);
  }

  /** Resolves when all that is stored now is folded. */
  async catchUp(): Promise<void> {
    for (const [stream, filters] of this.#filters) {
      const lasts = await Promise.all(filters.map((filter) => this.#lastOn(stream, filter)));
      await this.reached(stream, Math.max(0, ...lasts.map((last) => last?.sequence ?? 0)));
    }
  }

  async isStored(stream: string, filter: string): Promise<boolean> {
    return (await this.#lastOn(stream, filter)) !== undefined;
  }

  /** What the first event of a decision carries. */
  async remainderOf({ stream, sequence }: Made): Promise<Remainder | undefined> {
    const header = (await this.#ask(stream, { seq: sequence }))?.header(DECISION_HEADER);
    return header === undefined ? undefined : decodeRemainder(header);
  }

  /** Those of them that hold now. */
  async grantsOf(questions: readonly GrantQuestion[], nowMs: number): Promise<readonly GrantQuestion[]> {
    const answers = await Promise.all(
      questions.map(async ({ channel, userId }) => {
        // What is no token is nobody's channel.
        if (!channel.split(':').every((token) => parseSubjectToken(token).ok)) return false;
        const subject = `$KV.${GRANTS_BUCKET}.${grantKey(channel, userId)}`;
        return isGrant(await this.#lastOn(`KV_${GRANTS_BUCKET}`, subject), nowMs);
      }),
    );
    return questions.filter((_, index) => answers[index]);
  }

  async close(): Promise<void> {
    for (const reader of this.#readers.values()) reader.close();
    await this.#publisher?.close();
  }

  #isRead(stream: string, subject: string): boolean {
    const token = subject.slice(subject.lastIndexOf('.'));
    const prefix = subject.slice(0, subject.indexOf('.'));
    return (this.#filters.get(stream) ?? []).some(
      (filter) => filter.startsWith(`${prefix}.`) && (filter.endsWith('.*') || filter.endsWith(token)),
    );
  }

  #read(stream: string, message: ReadMessage): void {
    const event = this.#decoder.decode(message.subject, message.data);
    const header = message.header(DECISION_HEADER);
    this.history.add({
      stream,
      sequence: message.sequence,
      timeMs: message.timeMs,
      messageId: message.header('Nats-Msg-Id'),
      remainder: header === undefined ? undefined : this.#remainderIn(header),
      guards: event ? this.#guardsOf(event) : [message.subject],
    });
    if (event) this.#options.onEvent(event, message, stream);
  }

  /** Undefined where somebody else writes what this service does not read: not ours to finish. */
  #remainderIn(header: string): Remainder | undefined {
    const remainder = hasMoreEvents(header) ? decodeRemainder(header) : undefined;
    const isOurs = remainder?.events.every(({ type, keys }) => {
      const [name = '', token = ''] = type.split('.');
      const family = this.#decoder.families.get(name);
      return family !== undefined && this.#isRead(family.stream, subjectOf(family, keys, token));
    });
    return isOurs ? remainder : undefined;
  }

  #guardsOf(event: DecodedEvent): readonly string[] {
    if (!Object.hasOwn(this.#options.guards, event.type.slice(0, event.type.indexOf('.')))) return [event.subject];
    const guard = this.guardOf(event);
    return guard === event.subject ? [guard] : [guard, event.subject];
  }

  async #describe(stream: string): Promise<{ created: string; lastSequence: number }> {
    const manager = await jetstreamManager(this.#options.connection);
    const { created, state } = await manager.streams.info(stream);
    return { created, lastSequence: state.last_seq };
  }

  async #lastOn(stream: string, filter: string): Promise<LeaderMessage | undefined> {
    return await this.#ask(stream, { last_by_subj: filter });
  }

  /** The leader: a replica may be behind. */
  async #ask(stream: string, question: Readonly<Record<string, unknown>>): Promise<LeaderMessage | undefined> {
    const { connection } = this.#options;
    const body = JSON.stringify(question);
    const reply = await connection.request(`$JS.API.STREAM.MSG.GET.${stream}`, body, { timeout: REQUEST_TIMEOUT_MS });
    const { message, error } = reply.json<{
      message?: { seq: number; hdrs?: string; data?: string };
      error?: { err_code?: number; description?: string };
    }>();
    if (error?.err_code === NO_MESSAGE_FOUND) return undefined;
    // Nobody has ever been granted anything.
    if (error?.err_code === NO_STREAM_FOUND && stream === `KV_${GRANTS_BUCKET}`) return undefined;
    if (!message) throw new ProducerError('unavailable', { path: stream, reason: error?.description ?? '' });
    const lines = Buffer.from(message.hdrs ?? '', 'base64')
      .toString('latin1')
      .split('\r\n');
    return {
      sequence: message.seq,
      data: Buffer.from(message.data ?? '', 'base64'),
      header: (name) => {
        const line = lines.find((each) => each.toLowerCase().startsWith(`${name.toLowerCase()}:`));
        return line?.slice(name.length + 1).trim();
      },
    };
  }
}

/** Markers and deletions have no value; a value may say until when it holds. */
const isGrant = (message: LeaderMessage | undefined, nowMs: number): boolean => {
  if (!message || message.header('KV-Operation') !== undefined || message.data.length === 0) return false;
  try {
    const { expiresAt } = JSON.parse(message.data.toString()) as { readonly expiresAt?: unknown };
    return expiresAt === undefined || (typeof expiresAt === 'string' && Date.parse(expiresAt) > nowMs);
  } catch {
    return false;
  }
};

interface LeaderMessage {
  readonly sequence: number;
  readonly data: Buffer;
  header(name: string): string | undefined;
}
