// The ordered reader: the whole of one stream, contiguous and in order, into a sink, or a new generation. Any doubt ends
// the consumer and makes another one; only this file decides what counts as doubt. Knows no channel and no client.
//
//   starting ──▶ reading ◀──▶ recreating         any ──▶ stopped
//
// Two witnesses watch each other: the consumer (deliveries and heartbeats, over `live`) and independent readings of the
// stream's leader (over `requests`), since an isolated server keeps sending healthy heartbeats.

import { GatewayError } from '../errors.ts';
import type { Clock, TimerHandle } from '../operations/clock.ts';
import { delay } from '../operations/clock.ts';
import { planResume, planStart } from './continuity.ts';
import type { Covered, LeaderView, StartPlan, StoredAt } from './continuity.ts';
import { ApiCode, deleteConsumer, isApiError, readFromLeader, readStream } from './jetstream-api.ts';
import type { StreamReading } from './jetstream-api.ts';
import { LeaderComparison } from './leader-comparison.ts';
import type { DoubtCause, LogSink, Reader, ReaderStatus, StreamIdentity } from './log-sink.ts';
import type { Nats } from './nats.ts';
import { HEARTBEAT_MS, PushConsumer } from './push-consumer.ts';
import type { Delivery } from './push-consumer.ts';
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
  /** For the log; must not throw. */
  readonly onDoubt?: (stream: string, cause: DoubtCause) => void;
}

const TICK_MS = 250;
const LEADER_READ_MS = 1_000;
const READ_TIMEOUT_MS = 2_000;
const DELETE_TIMEOUT_MS = 2_000;
/** Two heartbeats, and the time a tick and a busy socket may take. */
const SILENCE_MS = 2 * HEARTBEAT_MS + 500;
const NO_SERVICE_MS = 5_000;
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
  #isRecreating = false;
  #backoffMs = MIN_BACKOFF_MS;
  #nextAttemptMs = 0;
  #trouble: ReaderStatus['trouble'];

  #headSequence = 0;
  #headTimeMs = 0;
  #hasHeadEvent = false;
  #covered: Covered = { from: 0, through: 0 };
  #received = 0;
  #recreations = 0;
  #generations = 0;

  #ticker: TimerHandle | undefined;
  #tickedMs = 0;
  #lastHeardMs = 0;
  #silentSinceMs = 0;
  #stateSinceMs = 0;
  /** When the connection last proved useful to this stream, for moving it elsewhere when it does not. */
  #servedMs = 0;
  #isReadingLeader = false;
  #leaderSequence = 0;
  #previousLeaderSequence = 0;
  #leaderReadMs = 0;
  #leaderAskedMs = 0;
  #advancedMs = 0;
  #headAtTick = 0;
  readonly #comparison = new LeaderComparison();
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
    if (this.#ticker !== undefined || this.#state === 'stopped') return this.#ready;
    const nowMs = this.#clock.now();
    this.#tickedMs = nowMs;
    this.#servedMs = nowMs;
    this.#leaderReadMs = nowMs;
    this.#stateSinceMs = nowMs;
    this.#ticker = this.#clock.setInterval(() => this.#tick(), TICK_MS);
    this.#stopListening = this.#options.nats.live.onConnectionChange((isConnected) => {
      if (!isConnected) this.#doubt('disconnected');
    });
    void this.#recreate();
    return this.#ready;
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#setState('stopped');
    this.#clock.clear(this.#ticker);
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
      lastHeardMs: this.#lastHeardMs,
      head: this.#head(),
      leaderSequence: this.#leaderSequence,
      previousLeaderSequence: this.#previousLeaderSequence,
      leaderReadMs: this.#leaderReadMs,
      received: this.#received,
      recreations: this.#recreations,
      generations: this.#generations,
      trouble: this.#trouble,
      doubts: { ...this.#doubts },
    };
  }

  #head(): number {
    const { from, through } = this.#covered;
    return this.#headSequence >= from ? Math.max(this.#headSequence, through) : this.#headSequence;
  }

  // --- deliveries: the hot path ------------------------------------------------------------------------------------

  #deliver(delivery: Delivery, subject: string, payload: Uint8Array, isMarker: boolean): void {
    const { sequence, timeMs } = delivery;
    if (this.#unproven !== undefined && !this.#prove(sequence, timeMs)) return;
    if (this.#unbegun !== undefined) this.#begin(sequence);
    // Between the anchor and the head: taken by an earlier incarnation.
    if (sequence > this.#headSequence && !this.#take(sequence, timeMs, subject, payload, isMarker)) return;
    if (this.#state === 'starting' && (delivery.pending === 0 || sequence >= this.#readyAt)) this.#caughtUp();
  }

  #take(sequence: number, timeMs: number, subject: string, payload: Uint8Array, isMarker: boolean): boolean {
    try {
      if (isMarker) this.#options.sink.skip(sequence, timeMs, subject);
      else this.#options.sink.append(sequence, timeMs, subject, payload);
    } catch {
      this.#doubt('sink_failed');
      return false;
    }
    this.#received += 1;
    this.#headSequence = sequence;
    this.#headTimeMs = timeMs;
    this.#hasHeadEvent = true;
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

  #begin(firstDelivered: number): void {
    const unbegun = this.#unbegun;
    if (unbegun === undefined) return;
    this.#unbegun = undefined;
    const { stream, sink } = this.#options;
    const { plan, created, cause } = unbegun;
    const firstSequence = 'sequence' in plan.from ? Math.min(plan.from.sequence, firstDelivered) : firstDelivered;
    this.#identity = { stream, created, epoch: epochOf(stream, created) };
    this.#headSequence = firstSequence - 1;
    this.#hasHeadEvent = false;
    this.#covered = plan.covered;
    this.#comparison.reset();
    this.#generations += 1;
    try {
      sink.begin(this.#identity, firstSequence, cause);
    } catch {
      this.#identity = undefined; // begins again
      this.#doubt('sink_failed');
    }
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
    if (this.#state === 'reading') this.#setState('recreating');
    while (this.#state !== 'stopped') {
      const waitMs = this.#nextAttemptMs - this.#clock.now();
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
    let reading = await this.#readLeader();
    if (this.#identity === undefined) return this.#openGeneration('boot', reading);

    const held = {
      created: this.#identity.created,
      head: this.#head(),
      headEvent: this.#hasHeadEvent ? { sequence: this.#headSequence, timeMs: this.#headTimeMs } : undefined,
    };
    let plan = await planResume(this.#leader, reading, held, sink);
    if (plan.kind === 'behind') {
      // A new leader may still be applying what the old one delivered.
      await delay(this.#clock, CONFIRM_BEHIND_MS);
      reading = await this.#readLeader();
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
      events: {
        deliver: (delivery, subject, payload, isMarker) => {
          if (this.#consumer === consumer) this.#deliver(delivery, subject, payload, isMarker);
        },
        broken: (cause) => {
          if (this.#consumer === consumer) this.#doubt(cause);
        },
      },
    });
    this.#consumer = consumer;
    const created = await consumer.create();
    if (this.#consumer !== consumer) return false;
    const nowMs = this.#clock.now();
    this.#servedMs = nowMs;
    this.#lastHeardMs = nowMs;
    this.#silentSinceMs = nowMs;
    this.#advancedMs = nowMs;
    this.#trouble = undefined;
    const isAllDelivered = created.pending === 0 && created.deliveredConsumerSequence <= consumer.consumerSequence;
    if (isAllDelivered) this.#begin(created.deliveredStreamSequence + 1);
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
    const { code, message } = GatewayError.from(error);
    this.#trouble = { code, message };
    // A definite answer: the servers work, it is the stream that does not. Moving elsewhere would help nobody.
    if (isApiError(error, ApiCode.streamNotFound) || isApiError(error, ApiCode.maxConsumers)) {
      this.#servedMs = this.#clock.now();
    }
  }

  // --- the watch ---------------------------------------------------------------------------------------------------

  #tick(): void {
    if (this.#isStopped()) return;
    const nowMs = this.#clock.now();
    // What the process slept or computed through was not silence: sockets are read after this tick.
    const stalledMs = Math.max(0, nowMs - this.#tickedMs - 2 * TICK_MS);
    this.#tickedMs = nowMs;
    this.#silentSinceMs += stalledMs;
    this.#servedMs += stalledMs;
    if (this.#head() !== this.#headAtTick) {
      this.#headAtTick = this.#head();
      this.#advancedMs = nowMs;
    }
    const consumer = this.#consumer;
    if (consumer?.takeHeard() === true) {
      this.#lastHeardMs = nowMs;
      this.#silentSinceMs = nowMs;
    } else if (consumer !== undefined && !this.#isRecreating && nowMs - this.#silentSinceMs > SILENCE_MS) {
      this.#doubt('silence');
    }
    const isHealthy = this.#state === 'reading' && nowMs - this.#stateSinceMs > HEALTHY_MS;
    if (isHealthy) this.#backoffMs = MIN_BACKOFF_MS;
    if (nowMs - this.#leaderAskedMs >= LEADER_READ_MS) void this.#compareWithLeader();
    this.#moveIfUseless(nowMs);
  }

  #moveIfUseless(nowMs: number): void {
    const { live, requests } = this.#options.nats;
    const isBlind = nowMs - Math.max(this.#leaderReadMs, this.#servedMs, requests.connectedSinceMs) > NO_SERVICE_MS;
    if (isBlind && requests.isConnected) {
      const isSameServer = live.serverId === requests.serverId;
      requests.moveToAnotherServer(`no reading of the leader of ${this.#options.stream}`);
      if (isSameServer) live.moveToAnotherServer(`no reading of the leader of ${this.#options.stream}`);
      return;
    }
    const isStuck =
      this.#isRecreating && nowMs - Math.max(this.#servedMs, this.#stateSinceMs, live.connectedSinceMs) > NO_SERVICE_MS;
    if (isStuck && live.isConnected) live.moveToAnotherServer(`no consumer of ${this.#options.stream}`);
  }

  /** A valid reading, kept for the status. Throws if no leader answers. */
  async #readLeader(): Promise<StreamReading> {
    const { nats, stream } = this.#options;
    const reading = await readStream(nats.requests, stream, READ_TIMEOUT_MS);
    if (!reading.hasLeader) throw new GatewayError('nats_no_leader', `stream ${stream} has no leader here`);
    this.#previousLeaderSequence = this.#leaderSequence;
    this.#leaderSequence = reading.lastSequence;
    this.#leaderReadMs = this.#clock.now();
    return reading;
  }

  /** The second witness. Never rejects. */
  async #compareWithLeader(): Promise<void> {
    if (this.#isReadingLeader || !this.#options.nats.requests.isConnected) return;
    this.#isReadingLeader = true;
    this.#leaderAskedMs = this.#clock.now();
    const headBefore = this.#head();
    const consumer = this.#consumer;
    try {
      const reading = await this.#readLeader();
      if (this.#consumer !== undefined) this.#trouble = undefined;
      // A verdict only about the incarnation that was reading when the question was asked.
      if (
        consumer !== undefined &&
        consumer === this.#consumer &&
        this.#identity !== undefined &&
        !this.#isRecreating
      ) {
        await this.#judge(reading, headBefore);
      }
    } catch (error) {
      this.#noteTrouble(error);
    } finally {
      this.#isReadingLeader = false;
    }
  }

  async #judge(reading: StreamReading, headBefore: number): Promise<void> {
    if (reading.created !== this.#identity?.created) {
      this.#doubt('leader_behind');
      return;
    }
    const { lastSequence } = reading;
    const figures = { lastSequence, headBefore, head: this.#head(), advancedMs: this.#advancedMs };
    const verdict = this.#comparison.judge(figures, this.#clock.now());
    if (verdict === 'agrees') return;
    if (verdict === 'behind') {
      this.#doubt('leader_behind');
      return;
    }
    const consumer = this.#consumer;
    const head = this.#headSequence;
    const next = await this.#leader.storedFrom(head + 1);
    if (consumer !== this.#consumer) return;
    // The newest messages may have been deleted before anybody read them: then our head is all there is.
    if (next === undefined) this.#covered = { from: head, through: lastSequence };
    else this.#doubt('leader_ahead');
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #setState(state: ReaderStatus['state']): void {
    this.#state = state;
    this.#stateSinceMs = this.#clock.now();
  }
}
