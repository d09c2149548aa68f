// The ordered reader: the whole of one stream, contiguous and in order, into a sink, or a new generation. Any doubt ends
// the consumer and makes another one (reader-watch.ts raises most of them). Knows no channel and no client.
//
//   starting ──▶ reading ◀──▶ recreating         any ──▶ stopped

import { GatewayError } from '../errors.ts';
import type { Clock } from '../operations/clock.ts';
import { delay } from '../operations/clock.ts';
import { planResume, planStart } from './continuity.ts';
import type { LeaderView, StartPlan, StoredAt } from './continuity.ts';
import { ApiCode, deleteConsumer, isApiError, readFromLeader } from './jetstream-api.ts';
import type { StreamReading } from './jetstream-api.ts';
import type { DoubtCause, LogSink, Reader, ReaderStatus, StreamIdentity } from './log-sink.ts';
import type { Nats } from './nats.ts';
import { PushConsumer } from './push-consumer.ts';
import type { Delivery } from './push-consumer.ts';
import { ReaderHead } from './reader-head.ts';
import { ReaderWatch } from './reader-watch.ts';
import { epochOf } from './streams.ts';

export type { DoubtCause, LogSink, Reader, ReaderStatus, StreamIdentity } from './log-sink.ts';

export interface ReaderOptions {
  readonly stream: string;
  readonly nats: Nats;
  readonly sink: LogSink;
  readonly clock: Clock;
  /** How far back a generation begins, unless that is more than maxBackfillBytes. */
  readonly startMs: number;
  readonly maxBackfillBytes: number;
  /** Whether events of a subject expire: only their headers are looked at. Absent where none of the stream does. */
  readonly mayExpire?: ((subject: string) => boolean) | undefined;
  /** For the log; must not throw. */
  readonly onDoubt?: (stream: string, cause: DoubtCause) => void;
}

const READ_TIMEOUT_MS = 2_000;
const DELETE_TIMEOUT_MS = 2_000;
const CONFIRM_BEHIND_MS = 2_000;
const VERIFY_MS = 3_000;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
const HEALTHY_MS = 5_000;
const MAX_LEFTOVERS = 16;

export function createReader(options: ReaderOptions): Reader {
  return new OrderedReader(options);
}

class OrderedReader implements Reader {
  readonly #options: ReaderOptions;
  readonly #clock: Clock;
  readonly #leader: LeaderView;
  readonly #head = new ReaderHead();
  readonly #watch: ReaderWatch;
  readonly #ready: Promise<void>;
  #settleReady: (error?: GatewayError) => void = () => {};
  readonly #doubts: Record<DoubtCause, number>;

  #state: ReaderStatus['state'] = 'starting';
  #identity: StreamIdentity | undefined;
  #consumer: PushConsumer | undefined;
  /** Names of consumers that may still exist at the server. */
  #leftovers: string[] = [];
  /** Set until the incarnation's first delivery has proven that the stream is the one we were reading. */
  #unproven: { readonly anchor: StoredAt; readonly settle: (isSame: boolean) => void } | undefined;
  /** A generation that begins with its first delivery, or with the consumer if nothing is stored. */
  #unbegun:
    | { readonly cause: 'boot' | 'new_stream' | 'rolled_back'; readonly created: string; readonly plan: StartPlan }
    | undefined;
  #readyAt = 0;
  #isStarted = false;
  #isRecreating = false;
  #backoffMs = MIN_BACKOFF_MS;
  #nextAttemptMs = 0;
  #trouble: ReaderStatus['trouble'];

  #received = 0;
  #recreations = 0;
  #generations = 0;

  #stateSinceMs = 0;
  #stopListening: () => void = () => {};

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const { stream, nats } = options;
    const ask = (query: Parameters<typeof readFromLeader>[2]): Promise<StoredAt | undefined> =>
      readFromLeader(nats.requests, stream, query, READ_TIMEOUT_MS);
    this.#leader = {
      stored: (sequence) => ask({ seq: sequence }),
      last: () => ask({ last_by_subj: '>' }),
      storedFrom: (sequence) => ask({ seq: sequence, next_by_subj: '>' }),
    };
    this.#watch = new ReaderWatch({
      stream,
      nats,
      clock: options.clock,
      watched: {
        head: this.#head,
        consumer: () => (this.#isRecreating ? undefined : this.#consumer),
        created: () => this.#identity?.created,
        recreatingSinceMs: () => (this.#isRecreating ? this.#stateSinceMs : undefined),
        storedFrom: (sequence) => this.#leader.storedFrom(sequence),
        doubt: (cause) => this.#doubt(cause),
        trouble: (error) => this.#noteTrouble(error),
      },
    });
    this.#doubts = {
      gap: 0,
      heartbeat_ahead: 0,
      silence: 0,
      disconnected: 0,
      leader_ahead: 0,
      leader_behind: 0,
      sink_failed: 0,
    };
    this.#ready = new Promise((resolve, reject) => {
      this.#settleReady = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Stopping before anybody awaited `start` is no unhandled rejection.
    this.#ready.catch(() => {});
  }

  start(): Promise<void> {
    if (this.#isStarted || this.#isStopped()) return this.#ready;
    this.#isStarted = true;
    this.#stateSinceMs = this.#clock.now();
    this.#watch.start();
    this.#stopListening = this.#options.nats.live.onConnectionChange((isConnected) => {
      if (!isConnected) this.#doubt('disconnected');
    });
    void this.#recreate();
    return this.#ready;
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#setState('stopped');
    this.#watch.stop();
    this.#stopListening();
    this.#closeConsumer();
    this.#settleReady(new GatewayError('reader_stopped', `reader of ${this.#options.stream} was stopped`));
    await this.#deleteLeftovers();
  }

  status(): ReaderStatus {
    return {
      stream: this.#options.stream,
      state: this.#state,
      identity: this.#identity,
      ...this.#watch.readings,
      head: this.#head.vouched,
      received: this.#received,
      recreations: this.#recreations,
      generations: this.#generations,
      trouble: this.#trouble,
      doubts: { ...this.#doubts },
    };
  }

  // --- deliveries: the hot path ------------------------------------------------------------------------------------

  #deliver(
    delivery: Delivery,
    subject: string,
    payload: Uint8Array,
    isMarker: boolean,
    expiresAtMs: number | undefined,
  ): void {
    const { sequence, timeMs } = delivery;
    if (this.#unproven !== undefined && !this.#prove(sequence, timeMs)) return;
    if (this.#unbegun !== undefined && !this.#begin(sequence)) return;
    // Between the anchor and the head: taken by an earlier incarnation.
    if (sequence > this.#head.sequence && !this.#take(delivery, subject, payload, isMarker, expiresAtMs)) return;
    if (this.#state === 'starting' && (delivery.pending === 0 || sequence >= this.#readyAt)) this.#caughtUp();
  }

  #take(
    { sequence, timeMs }: Delivery,
    subject: string,
    payload: Uint8Array,
    isMarker: boolean,
    expiresAtMs: number | undefined,
  ): boolean {
    try {
      if (isMarker) this.#options.sink.skip(sequence, timeMs, subject);
      else this.#options.sink.append(sequence, timeMs, subject, payload, expiresAtMs);
    } catch {
      this.#doubt('sink_failed');
      return false;
    }
    this.#received += 1;
    this.#head.advance(sequence, timeMs);
    return true;
  }

  #prove(sequence: number, timeMs: number): boolean {
    const unproven = this.#unproven;
    if (unproven === undefined) return true;
    this.#unproven = undefined;
    const isSame = sequence === unproven.anchor.sequence && timeMs === unproven.anchor.timeMs;
    unproven.settle(isSame);
    return isSame;
  }

  /** False if the sink failed. */
  #begin(firstDelivered: number): boolean {
    const unbegun = this.#unbegun;
    if (unbegun === undefined) return true;
    this.#unbegun = undefined;
    const { stream, sink } = this.#options;
    const { plan, created, cause } = unbegun;
    const firstSequence = 'sequence' in plan.from ? Math.min(plan.from.sequence, firstDelivered) : firstDelivered;
    const identity = { stream, created, epoch: epochOf(stream, created) };
    try {
      sink.begin(identity, firstSequence, cause);
    } catch {
      this.#doubt('sink_failed'); // with the old generation still in place: it begins again
      return false;
    }
    this.#identity = identity;
    this.#head.begin(firstSequence, plan.covered);
    this.#watch.generationBegan();
    this.#generations += 1;
    return true;
  }

  #caughtUp(): void {
    this.#setState('reading');
    this.#settleReady();
  }

  // --- doubts and new incarnations ---------------------------------------------------------------------------------

  #doubt(cause: DoubtCause): void {
    if (this.#state === 'stopped' || this.#consumer === undefined) return;
    this.#doubts[cause] += 1;
    this.#options.onDoubt?.(this.#options.stream, cause);
    this.#closeConsumer();
    void this.#recreate();
  }

  #closeConsumer(): void {
    this.#unbegun = undefined;
    const unproven = this.#unproven;
    this.#unproven = undefined;
    unproven?.settle(false);
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    consumer.close();
    this.#consumer = undefined;
    this.#leftovers = [...this.#leftovers.slice(1 - MAX_LEFTOVERS), consumer.name];
  }

  async #deleteLeftovers(): Promise<void> {
    const { live, requests } = this.#options.nats;
    // Over `live` if possible: there the deletion precedes the creation that follows.
    const link = live.isConnected ? live : requests;
    if (!link.isConnected) return;
    const names = this.#leftovers;
    this.#leftovers = [];
    await Promise.all(names.map((name) => deleteConsumer(link, this.#options.stream, name, DELETE_TIMEOUT_MS)));
  }

  /** Runs until a consumer is reading or the reader is stopped. Never rejects. */
  async #recreate(): Promise<void> {
    if (this.#isRecreating) return;
    this.#isRecreating = true;
    if (this.#state === 'reading') {
      // A doubt about a consumer that has just been made is made to wait.
      if (this.#clock.now() - this.#stateSinceMs > HEALTHY_MS) this.#backoffMs = MIN_BACKOFF_MS;
      this.#setState('recreating');
    }
    while (this.#state !== 'stopped') {
      // Never longer: an attempt that lies further ahead is of a clock that was set back since.
      const waitMs = Math.min(this.#nextAttemptMs - this.#clock.now(), MAX_BACKOFF_MS);
      if (waitMs > 0) await delay(this.#clock, waitMs);
      if (this.#isStopped()) break;
      this.#nextAttemptMs = this.#clock.now() + this.#backoffMs;
      this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
      try {
        if (await this.#attempt()) {
          if (this.#state === 'recreating') this.#setState('reading');
          break;
        }
      } catch (error) {
        this.#closeConsumer();
        this.#noteTrouble(error);
      }
    }
    this.#isRecreating = false;
    // A doubt that came between the last attempt's success and here found the loop still running.
    if (!this.#isStopped() && this.#consumer === undefined) void this.#recreate();
  }

  /** True once a consumer delivers from a proven place. */
  async #attempt(): Promise<boolean> {
    const { nats, sink, stream } = this.#options;
    await Promise.all([this.#connected(nats.live), this.#connected(nats.requests)]);
    if (this.#isStopped()) return false;
    void this.#deleteLeftovers();
    let reading = await this.#watch.readLeader();
    if (this.#identity === undefined) return this.#openGeneration('boot', reading);

    const held = {
      created: this.#identity.created,
      head: this.#head.vouched,
      headEvent: this.#head.message,
    };
    let plan = await planResume(this.#leader, reading, held, sink);
    if (plan.kind === 'behind') {
      // A new leader may still be applying what the old one delivered.
      await delay(this.#clock, CONFIRM_BEHIND_MS);
      reading = await this.#watch.readLeader();
      plan = await planResume(this.#leader, reading, held, sink);
      if (plan.kind === 'behind') plan = { kind: 'generation', cause: 'rolled_back' };
    }
    if (plan.kind === 'generation') return this.#openGeneration(plan.cause, reading);

    this.#recreations += 1;
    const { anchor } = plan;
    if (anchor === undefined) return this.#open({ sequence: plan.from }, stream);
    const proof = new Promise<boolean>((resolve) => {
      const timer = this.#clock.setTimeout(() => resolve(false), VERIFY_MS);
      const settle = (isSame: boolean): void => {
        this.#clock.clear(timer);
        resolve(isSame);
      };
      this.#unproven = { anchor, settle };
    });
    const isOpen = await this.#open({ sequence: plan.from }, stream);
    if (isOpen && (await proof)) return true;
    this.#closeConsumer(); // deleted meanwhile, or another stream: the next attempt finds out
    return false;
  }

  async #openGeneration(cause: 'boot' | 'new_stream' | 'rolled_back', reading: StreamReading): Promise<boolean> {
    const { startMs, maxBackfillBytes, stream } = this.#options;
    const limits = { startMs, maxBytes: maxBackfillBytes, nowMs: this.#clock.now() };
    const plan = await planStart(this.#leader, reading, limits);
    if (this.#isStopped()) return false;
    this.#unbegun = { cause, created: reading.created, plan };
    this.#readyAt = reading.lastSequence;
    return this.#open(plan.from, stream);
  }

  async #open(from: StartPlan['from'], stream: string): Promise<boolean> {
    const { live } = this.#options.nats;
    const consumer: PushConsumer = new PushConsumer({
      link: live,
      stream,
      from,
      mayExpire: this.#options.mayExpire,
      events: {
        deliver: (delivery, subject, payload, isMarker, expiresAtMs) => {
          if (this.#consumer === consumer) this.#deliver(delivery, subject, payload, isMarker, expiresAtMs);
        },
        broken: (cause) => {
          if (this.#consumer === consumer) this.#doubt(cause);
        },
      },
    });
    this.#consumer = consumer;
    const created = await consumer.create();
    if (this.#consumer !== consumer) return false;
    this.#watch.consumerCreated();
    this.#trouble = undefined;
    const isAllDelivered = created.pending === 0 && created.deliveredConsumerSequence <= consumer.consumerSequence;
    if (isAllDelivered && !this.#begin(created.deliveredStreamSequence + 1)) return false;
    if (this.#state === 'starting' && isAllDelivered) this.#caughtUp();
    return this.#consumer === consumer;
  }

  #connected(link: Nats['live']): Promise<void> {
    if (link.isConnected) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = link.onConnectionChange((isConnected) => {
        if (!isConnected) return;
        stop();
        resolve();
      });
    });
  }

  #noteTrouble(error: unknown): void {
    if (error === undefined) {
      if (!this.#isRecreating) this.#trouble = undefined;
      return;
    }
    const { code, message } = GatewayError.from(error);
    this.#trouble = { code, message };
    // A definite answer: the servers work, it is the stream that does not. Moving elsewhere would help nobody.
    if (isApiError(error, ApiCode.streamNotFound) || isApiError(error, ApiCode.maxConsumers)) this.#watch.served();
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #setState(state: ReaderStatus['state']): void {
    this.#state = state;
    this.#stateSinceMs = this.#clock.now();
  }
}
