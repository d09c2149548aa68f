// Reads some subjects of one stream from its start, in order and without a gap, for as long as the service lives. Any
// doubt (a jump, silence, a lost connection) makes a new consumer behind the last message. Knows messages, no events.
import { randomUUID } from 'node:crypto';
import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node';
import { isSubjectMatch } from '@sluice/schemas';
import type { Clock } from '../clock.ts';
import { ProducerError } from '../errors.ts';
import type { Connection } from '../nats.ts';

export interface ReadMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly sequence: number;
  readonly timeMs: number;
  header(name: string): string | undefined;
}

export interface EventReaderOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly stream: string;
  readonly filters: readonly string[];
  /** What is read already. */
  readonly after?: number;
  readonly inboxPrefix?: string;
  onMessage(message: ReadMessage): void;
}

interface Waiter {
  readonly sequence: number;
  readonly settle: (isReached: boolean) => void;
}

const NS_PER_MS = 1_000_000;
const HEARTBEAT_MS = 1_000;
const SILENCE_MS = 2_500;
const INACTIVE_MS = 10_000;
const REQUEST_TIMEOUT_MS = 3_000;
const RETRY_MS = 250;

export class EventReader {
  readonly #options: EventReaderOptions;
  readonly #waiters = new Set<Waiter>();
  #subscription: Subscription | undefined;
  #consumer = '';
  #consumerSequence = 0;
  #lastSequence = 0;
  /** Messages that were there when the consumer was made. */
  #owed = Number.POSITIVE_INFINITY;
  #heardMs = 0;
  #isOpening = false;
  /**
   * The past is read unfiltered and sorted out here: a consumer with several filters took 18 s for what takes 2 s without
   * (45,000 messages, nats-server 2.15). What comes after is little, and filtered by the server.
   */
  #isBulk: boolean;
  #isClosed = false;
  #stopWatch: () => void = () => {};
  #settleCaughtUp: (error?: ProducerError) => void = () => {};
  readonly #caughtUp: Promise<void>;

  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#lastSequence = options.after ?? 0;
    this.#isBulk = options.filters.length > 1;
    this.#caughtUp = new Promise((resolve, reject) => {
      this.#settleCaughtUp = (error) => (error ? reject(error) : resolve());
    });
    this.#caughtUp.catch(() => {});
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Resolves when everything that was stored at the start is read. */
  start(): Promise<void> {
    void this.#open();
    void this.#watchConnection();
    this.#watchSilence();
    return this.#caughtUp;
  }

  /** True once a message of that sequence or a later one is read; false after the time, or when closed. */
  reached(sequence: number, timeoutMs: number): Promise<boolean> {
    if (this.#lastSequence >= sequence) return Promise.resolve(true);
    if (this.#isClosed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (isReached: boolean): void => {
        callOff();
        this.#waiters.delete(waiter);
        resolve(isReached);
      };
      const waiter: Waiter = { sequence, settle };
      const callOff = this.#options.clock.after(timeoutMs, () => settle(false));
      this.#waiters.add(waiter);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWatch();
    this.#drop();
    for (const { settle } of Array.from(this.#waiters)) settle(false);
    this.#settleCaughtUp(new ProducerError('closed', { path: this.#options.stream }));
  }

  #drop(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    const { connection, stream } = this.#options;
    if (this.#consumer !== '' && !connection.isClosed()) {
      connection.publish(`$JS.API.CONSUMER.DELETE.${stream}.${this.#consumer}`);
    }
    this.#consumer = '';
  }

  #doubt(): void {
    if (this.#isClosed || this.#isOpening) return;
    this.#drop();
    void this.#open();
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    while (!this.#isClosed) {
      try {
        await this.#create();
        // Dropped already: all of the past was there with the answer, and what comes next is another consumer's.
        if (this.#consumer !== '') break;
      } catch {
        // No leader, no server, timeout: for as long as it takes.
        this.#drop();
        if (this.#options.connection.isClosed()) return this.close();
        await new Promise<void>((resolve) => this.#options.clock.after(RETRY_MS, resolve));
      }
    }
    this.#isOpening = false;
  }

  async #create(): Promise<void> {
    const { connection, stream, filters, inboxPrefix, clock } = this.#options;
    const inbox = createInbox(inboxPrefix);
    const name = `service-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    this.#consumerSequence = 0;
    this.#subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (!error && this.#consumer === name) this.#receive(message);
      },
    });
    this.#consumer = name;
    const config = {
      name,
      deliver_subject: inbox,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: this.#lastSequence + 1,
      ack_policy: 'none',
      max_deliver: 1,
      ...(!this.#isBulk && { filter_subjects: filters }),
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NS_PER_MS,
      inactive_threshold: INACTIVE_MS * NS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    };
    const request = JSON.stringify({ stream_name: stream, config, action: 'create' });
    const options = { timeout: REQUEST_TIMEOUT_MS };
    const answer = (await connection.request(`$JS.API.CONSUMER.CREATE.${stream}.${name}`, request, options)).json<{
      num_pending?: number;
      delivered?: { consumer_seq?: number };
      error?: { description?: string };
    }>();
    if (answer.error) throw new ProducerError('unavailable', { path: stream, reason: answer.error.description ?? '' });
    this.#heardMs = clock.monotonicMs();
    this.#owed = (answer.num_pending ?? 0) + (answer.delivered?.consumer_seq ?? 0);
    if (this.#consumerSequence >= this.#owed) this.#onCaughtUp();
  }

  #onCaughtUp(): void {
    this.#settleCaughtUp();
    if (!this.#isBulk) return;
    this.#isBulk = false;
    this.#drop();
    if (!this.#isOpening) void this.#open();
  }

  #receive(message: Msg): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    const at = parseDelivery(message.reply);
    if (!at) return this.#receiveStatus(message);
    if (at.consumerSequence !== this.#consumerSequence + 1) return this.#doubt();
    this.#consumerSequence = at.consumerSequence;
    this.#lastSequence = at.sequence;
    if (!this.#isBulk || this.#options.filters.some((filter) => isSubjectMatch(filter, message.subject))) {
      try {
        this.#options.onMessage({
          subject: message.subject,
          data: message.data,
          sequence: at.sequence,
          timeMs: at.timeMs,
          header: (name) => message.headers?.get(name) || undefined,
        });
      } catch {
        // A callback that throws would end nats.js' read loop: one odd message is passed over instead.
      }
    }
    if (this.#consumerSequence >= this.#owed) this.#onCaughtUp();
    if (this.#waiters.size === 0) return;
    for (const waiter of Array.from(this.#waiters)) if (waiter.sequence <= at.sequence) waiter.settle(true);
  }

  #receiveStatus(message: Msg): void {
    const { connection } = this.#options;
    if (message.reply) return connection.publish(message.reply); // flow control: go on
    const stalled = message.headers?.get('Nats-Consumer-Stalled');
    if (stalled) connection.publish(stalled);
    if (Number(message.headers?.get('Nats-Last-Consumer') || 0) > this.#consumerSequence) this.#doubt();
  }

  #watchSilence(): void {
    this.#stopWatch = this.#options.clock.after(HEARTBEAT_MS, () => {
      if (this.#isClosed) return;
      if (!this.#isOpening && this.#options.clock.monotonicMs() - this.#heardMs > SILENCE_MS) this.#doubt();
      this.#watchSilence();
    });
  }

  async #watchConnection(): Promise<void> {
    for await (const status of this.#options.connection.status()) {
      if (this.#isClosed) return;
      if (status.type === 'reconnect') this.#doubt();
    }
  }
}

interface DeliveryPlace {
  readonly sequence: number;
  readonly consumerSequence: number;
  readonly timeMs: number;
}

const SHORT_FORM = 9;

/** `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<ns>.<pending>`, or with domain and account. */
const parseDelivery = (reply: string | undefined): DeliveryPlace | undefined => {
  if (reply === undefined || !reply.startsWith('$JS.ACK.')) return undefined;
  const tokens = reply.split('.');
  const at = tokens.length === SHORT_FORM ? 5 : 7;
  return {
    sequence: Number(tokens[at]),
    consumerSequence: Number(tokens[at + 1]),
    timeMs: Math.floor(Number(tokens[at + 2]) / NS_PER_MS),
  };
};
