// Watches over one reader: is its consumer still heard of, does the leader agree with its head, is its server of any use?
// Two witnesses: the consumer's heartbeats over `live`, and readings of the stream's leader over `requests`, since an
// isolated server keeps sending healthy heartbeats. Decides what counts as doubt; acting on it is the reader's.

import { GatewayError } from '../errors.ts';
import type { Clock, TimerHandle } from '../operations/clock.ts';
import type { StoredAt } from './continuity.ts';
import { readStream } from './jetstream-api.ts';
import type { StreamReading } from './jetstream-api.ts';
import { LeaderComparison } from './leader-comparison.ts';
import type { DoubtCause } from './log-sink.ts';
import type { Nats } from './nats.ts';
import { HEARTBEAT_MS } from './push-consumer.ts';
import type { PushConsumer } from './push-consumer.ts';
import type { ReaderHead } from './reader-head.ts';

/** The reader, as its watch sees it. */
export interface Watched {
  readonly head: ReaderHead;
  /** The consumer that reads; undefined while one is being made. */
  consumer(): PushConsumer | undefined;
  /** `created` of the stream that is read; undefined before the first generation. */
  created(): string | undefined;
  /** Since when a consumer is being made; undefined while one reads. */
  recreatingSinceMs(): number | undefined;
  storedFrom(sequence: number): Promise<StoredAt | undefined>;
  doubt(cause: DoubtCause): void;
  /** A reading of the leader failed, or (undefined) came. */
  trouble(error: unknown): void;
}

export interface ReaderWatchOptions {
  readonly stream: string;
  readonly nats: Nats;
  readonly clock: Clock;
  readonly watched: Watched;
}

export interface WatchReadings {
  lastHeardMs: number;
  leaderSequence: number;
  previousLeaderSequence: number;
  leaderFirstSequence: number;
  leaderReadMs: number;
}

const TICK_MS = 250;
const LEADER_READ_MS = 1_000;
const READ_TIMEOUT_MS = 2_000;
/** Two heartbeats, and the time a tick and a busy socket may take. */
const SILENCE_MS = 2 * HEARTBEAT_MS + 500;
const NO_SERVICE_MS = 5_000;

export class ReaderWatch {
  readonly readings: WatchReadings = {
    lastHeardMs: 0,
    leaderSequence: 0,
    previousLeaderSequence: 0,
    leaderFirstSequence: 0,
    leaderReadMs: 0,
  };
  readonly #options: ReaderWatchOptions;
  readonly #comparison = new LeaderComparison();
  #ticker: TimerHandle | undefined;
  #tickedMs = 0;
  #silentSinceMs = 0;
  /** When the servers last proved useful to this stream. */
  #servedMs = 0;
  #isReadingLeader = false;
  #leaderAskedMs = 0;
  #advancedMs = 0;
  #headAtTick = 0;

  constructor(options: ReaderWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const nowMs = this.#options.clock.now();
    this.#tickedMs = nowMs;
    this.#servedMs = nowMs;
    this.#ticker = this.#options.clock.setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    this.#options.clock.clear(this.#ticker);
  }

  /** A consumer was created, or refused for a reason that no other server would see differently. */
  served(): void {
    this.#servedMs = this.#options.clock.now();
  }

  /** A new consumer counts as heard of and moving. */
  consumerCreated(): void {
    const nowMs = this.#options.clock.now();
    this.#servedMs = nowMs;
    this.#silentSinceMs = nowMs;
    this.#advancedMs = nowMs;
    this.readings.lastHeardMs = nowMs;
  }

  generationBegan(): void {
    this.#comparison.reset();
  }

  /** A valid reading, kept for the status. Throws if no leader answers. */
  async readLeader(): Promise<StreamReading> {
    const { nats, stream, clock } = this.#options;
    const reading = await readStream(nats.requests, stream, READ_TIMEOUT_MS);
    if (!reading.hasLeader) throw new GatewayError('nats_no_leader', `stream ${stream} has no leader here`);
    this.readings.previousLeaderSequence = this.readings.leaderSequence;
    this.readings.leaderSequence = reading.lastSequence;
    this.readings.leaderFirstSequence = reading.firstSequence;
    this.readings.leaderReadMs = clock.now();
    return reading;
  }

  #tick(): void {
    const { clock, watched } = this.#options;
    const nowMs = clock.now();
    if (nowMs < this.#tickedMs) this.#clockWasSetBack(this.#tickedMs - nowMs);
    // What the process slept or computed through was not silence: sockets are read after this tick.
    const stalledMs = Math.max(0, nowMs - this.#tickedMs - 2 * TICK_MS);
    this.#tickedMs = nowMs;
    this.#silentSinceMs += stalledMs;
    this.#servedMs += stalledMs;
    if (watched.head.vouched !== this.#headAtTick) {
      this.#headAtTick = watched.head.vouched;
      this.#advancedMs = nowMs;
    }
    const consumer = watched.consumer();
    if (consumer?.takeHeard() === true) {
      this.readings.lastHeardMs = nowMs;
      this.#silentSinceMs = nowMs;
    } else if (consumer !== undefined && nowMs - this.#silentSinceMs > SILENCE_MS) watched.doubt('silence');
    if (nowMs - this.#leaderAskedMs >= LEADER_READ_MS) void this.#compareWithLeader();
    this.#moveIfUseless(nowMs);
  }

  /** What was so long ago still is: else the leader would not be read, and no silence noticed, for as long. */
  #clockWasSetBack(byMs: number): void {
    this.#silentSinceMs -= byMs;
    this.#servedMs -= byMs;
    this.#leaderAskedMs -= byMs;
    this.#advancedMs -= byMs;
    this.readings.lastHeardMs -= byMs;
    this.readings.leaderReadMs -= byMs;
    this.#comparison.reset();
  }

  #moveIfUseless(nowMs: number): void {
    const { nats, stream, watched } = this.#options;
    const { live, requests } = nats;
    const readMs = Math.max(this.readings.leaderReadMs, this.#servedMs, pastOf(requests.connectedSinceMs, nowMs));
    if (requests.isConnected && nowMs - readMs > NO_SERVICE_MS) {
      const isSameServer = live.serverId === requests.serverId;
      requests.moveToAnotherServer(`no reading of the leader of ${stream}`);
      if (isSameServer) live.moveToAnotherServer(`no reading of the leader of ${stream}`);
      return;
    }
    const recreatingSinceMs = watched.recreatingSinceMs();
    if (recreatingSinceMs === undefined || !live.isConnected) return;
    const madeMs = Math.max(pastOf(recreatingSinceMs, nowMs), this.#servedMs, pastOf(live.connectedSinceMs, nowMs));
    if (nowMs - madeMs > NO_SERVICE_MS) live.moveToAnotherServer(`no consumer of ${stream}`);
  }

  /** The second witness. Never rejects. */
  async #compareWithLeader(): Promise<void> {
    const { nats, clock, watched } = this.#options;
    if (this.#isReadingLeader || !nats.requests.isConnected) return;
    this.#isReadingLeader = true;
    this.#leaderAskedMs = clock.now();
    const headBefore = watched.head.vouched;
    const consumer = watched.consumer();
    try {
      const reading = await this.readLeader();
      watched.trouble(undefined);
      // A verdict only about the incarnation that was reading when the question was asked.
      if (consumer !== undefined && consumer === watched.consumer()) await this.#judge(consumer, reading, headBefore);
    } catch (error) {
      watched.trouble(error);
    } finally {
      this.#isReadingLeader = false;
    }
  }

  async #judge(consumer: PushConsumer, reading: StreamReading, headBefore: number): Promise<void> {
    const { clock, watched } = this.#options;
    const { head } = watched;
    const created = watched.created();
    if (created === undefined) return;
    if (reading.created !== created) {
      watched.doubt('leader_behind');
      return;
    }
    const { lastSequence } = reading;
    const figures = { lastSequence, headBefore, head: head.vouched, advancedMs: this.#advancedMs };
    const verdict = this.#comparison.judge(figures, clock.now());
    if (verdict === 'agrees') return;
    if (verdict === 'behind') {
      watched.doubt('leader_behind');
      return;
    }
    const { sequence } = head;
    const next = await watched.storedFrom(sequence + 1);
    if (consumer !== watched.consumer() || head.sequence !== sequence) return;
    // The newest messages may have been deleted before anybody read them: then our head is all there is.
    if (next === undefined) head.cover(lastSequence);
    else watched.doubt('leader_ahead');
  }
}

/** A time that lies ahead is of a clock that was set back since: long ago. */
const pastOf = (timeMs: number, nowMs: number): number => (timeMs <= nowMs ? timeMs : 0);
