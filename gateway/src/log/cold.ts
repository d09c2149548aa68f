// Reads before the tail's start. Every answer is either proven complete, or says why it is not: expected failures are
// values, and only bugs throw. Budgets live here, so that whoever reads the past cannot slow down the present.

import { GatewayError } from '../errors.ts';
import type { GatewayErrorCode } from '../errors.ts';
import type { Clock } from '../operations/clock.ts';
import type {
  Cold,
  ColdPage,
  ColdReadRequest,
  ColdRetry,
  ColdRetryCode,
  ColdTruncated,
  CursorResult,
  EventResult,
  LeaderResult,
  NeighboursResult,
  StatesRequest,
  StatesResult,
  TailView,
} from './cold-contract.ts';
import { DirectGet } from './direct-get.ts';
import type { Nats } from './nats.ts';
import { mergePages } from './page-merge.ts';
import type { FilterPage } from './page-merge.ts';
import { Probe } from './probe.ts';
import { RangeReader, tailWitness } from './range.ts';
import { ReadBudget } from './read-budget.ts';
import { Retention } from './retention.ts';
import type { FiltersOf } from './segment.ts';
import { Snapshots } from './snapshot.ts';
import { SpanReader } from './spans.ts';

export type * from './cold-contract.ts';

export interface ColdOptions {
  readonly nats: Nats;
  readonly clock: Clock;
  /** Reads of one stream at once. The server answers a connection's reads one after the other anyway. */
  readonly readsPerStream: number;
  /** Bytes of all reads of the pod at once. */
  readonly maxBytes: number;
  /**
   * The tail's index. With it, storms of reads share one pass over the span; the filters of reads must be ones that it
   * yields.
   */
  readonly filtersOf?: FiltersOf;
  /** Whether events of a subject expire: only their headers are looked at. */
  readonly mayExpire?: ((subject: string) => boolean) | undefined;
  /** Reads of one stream that may wait for their turn. */
  readonly maxWaiting?: number;
  /** For spreading retries; 0 <= value < 1. */
  readonly random?: () => number;
}

/** Large batches hold up the stream (2.12 to 2.14 lock it for the whole of one). */
const MAX_BATCH_EVENTS = 256;
/** Unfiltered reads find what they look for at once and may take more. */
const MAX_SPAN_EVENTS = 1_024;
const MAX_BATCH_BYTES = 512 * 1024;
const DEFAULT_MAX_WAITING = 2_000;
/** With so many waiting, one pass over the span that all of them need is cheaper than a read each. */
const STORM_READS = 4;
/** A pass takes seconds per million. Those who are further back walk by themselves. */
const MAX_SHARED_SPAN = 2_000_000;
/** What one reader alone has passed over for its sake rather than hold up publishers with walks. */
const MAX_LONE_SPAN = 250_000;
/** What a probe or a single read counts for in the byte budget. */
const SMALL_READ_BYTES = 16 * 1024;

const RETRY_MS: Readonly<Record<ColdRetryCode, number>> = {
  stale_replica: 150,
  nats_unavailable: 400,
  overloaded: 800,
};

const UNAVAILABLE: ReadonlySet<GatewayErrorCode> = new Set<GatewayErrorCode>([
  'nats_unreachable',
  'nats_disconnected',
  'nats_timeout',
  'nats_no_responders',
  'nats_no_leader',
  'nats_denied',
  'nats_refused',
  'nats_bad_answer',
  'nats_closed',
]);

export function createCold(options: ColdOptions): Cold & { close(): void } {
  return new ColdReads(options);
}

class ColdReads implements Cold {
  readonly #direct: DirectGet;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #budget: ReadBudget;
  readonly #retention: Retention;
  readonly #ranges: RangeReader;
  readonly #snapshots: Snapshots;
  readonly #probe: Probe;
  readonly #spans: SpanReader | undefined;
  readonly #maxWaiting: number;

  constructor(options: ColdOptions) {
    const link = options.nats.requests;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#direct = new DirectGet(link, options.clock, options.mayExpire);
    this.#retention = new Retention(link);
    this.#ranges = new RangeReader(this.#direct, link);
    this.#snapshots = new Snapshots(this.#direct, link, this.#retention);
    this.#probe = new Probe(this.#direct, link);
    const { readsPerStream, maxBytes, filtersOf, clock } = options;
    this.#maxWaiting = options.maxWaiting ?? DEFAULT_MAX_WAITING;
    this.#budget = new ReadBudget({ readsPerStream, maxBytes, maxWaiting: this.#maxWaiting });
    this.#spans = filtersOf && new SpanReader({ direct: this.#direct, clock, filtersOf, maxBytes });
  }

  close(): void {
    this.#direct.close();
  }

  read(request: ColdReadRequest): Promise<ColdPage | ColdTruncated | ColdRetry> {
    const { stream, filters, after, tail } = request;
    if (after >= tail.firstSequence - 1 || filters.length === 0) {
      return Promise.resolve({ kind: 'page', events: [], through: Math.max(after, tail.firstSequence - 1) });
    }
    const isSpan = filters.length === 1 && filters[0] === '>';
    const maxEvents = Math.max(1, Math.min(request.maxEvents, isSpan ? MAX_SPAN_EVENTS : MAX_BATCH_EVENTS));
    const maxBytes = Math.max(1, Math.min(request.maxBytes, MAX_BATCH_BYTES));
    const key = `read ${stream} ${tail.generation} ${after} ${maxEvents} ${maxBytes} ${filters.join(' ')}`;
    return this.#readPage(key, { ...request, maxEvents, maxBytes });
  }

  async #readPage(key: string, request: ColdReadRequest): Promise<ColdPage | ColdTruncated | ColdRetry> {
    const { stream, maxBytes } = request;
    const spans = this.#sharedSpans(request);
    const isStorm = this.#budget.waiting(stream) >= STORM_READS || (spans?.riders(stream) ?? 0) >= STORM_READS;
    if (spans !== undefined && (isStorm || spans.holds(request))) return this.#readShared(key, spans, request);
    const result = await this.#bounded(key, stream, maxBytes, () => this.#read(request, spans !== undefined));
    if (result.kind !== 'dense') return result;
    const isShort = request.tail.firstSequence - request.after <= MAX_LONE_SPAN;
    const isAlone = this.#budget.waiting(stream) === 0 && spans?.riders(stream) === 0;
    if (spans !== undefined && (isShort || !isAlone)) return this.#readShared(key, spans, request);
    const walked = await this.#bounded(`walk ${key}`, stream, maxBytes, () => this.#read(request, false));
    return walked.kind === 'dense' ? this.#retry('overloaded') : walked;
  }

  states(request: StatesRequest): Promise<StatesResult> {
    const { stream, filters, maxStates } = request;
    const key = `states ${stream} ${maxStates} ${filters.join(' ')}`;
    return this.#bounded(key, stream, MAX_BATCH_BYTES, async () => {
      const snapshot = await this.#snapshots.read(request);
      return snapshot === 'stale' ? this.#retry('stale_replica') : snapshot;
    });
  }

  lastN(stream: string, filters: readonly string[], count: number, tail: TailView): Promise<CursorResult> {
    const key = `last ${stream} ${count} ${filters.join(' ')}`;
    return this.#bounded(key, stream, SMALL_READ_BYTES, async () => {
      const reading = await this.#retention.readFromLeader(stream);
      const after = await this.#probe.lastN(stream, filters, count, reading);
      // Nothing is gained from a cursor past our own head: the tail knows what is there.
      return { kind: 'cursor', after: Math.min(after, tail.head) };
    });
  }

  since(stream: string, sinceMs: number): Promise<CursorResult> {
    return this.#bounded(`since ${stream} ${sinceMs}`, stream, SMALL_READ_BYTES, async () => {
      const reading = await this.#retention.readFromLeader(stream);
      // By the server's clock, where it tells: pods and phones have their own.
      const startTimeMs = (reading.serverTimeMs ?? this.#clock.now()) - sinceMs;
      return { kind: 'cursor', after: await this.#probe.since(stream, startTimeMs, reading) };
    });
  }

  event(stream: string, sequence: number): Promise<EventResult> {
    return this.#bounded(`event ${stream} ${sequence}`, stream, SMALL_READ_BYTES, async () => ({
      kind: 'event',
      event: await this.#probe.event(stream, sequence),
    }));
  }

  neighbours(stream: string, sequence: number): Promise<NeighboursResult> {
    return this.#bounded(`neighbours ${stream} ${sequence}`, stream, SMALL_READ_BYTES, async () => {
      const reading = await this.#retention.readFromLeader(stream);
      const [below, above] = await Promise.all([
        this.#probe.below(stream, sequence, reading),
        this.#probe.above(stream, sequence),
      ]);
      return { kind: 'neighbours', below, above };
    });
  }

  /** Costs one small request whatever the number of callers, so it waits for no budget. */
  async leader(stream: string): Promise<LeaderResult> {
    try {
      const { firstSequence, lastSequence, created, hasLeader } = await this.#retention.read(stream);
      return { kind: 'leader', firstSequence, lastSequence, created, hasLeader };
    } catch (error) {
      return this.#toRetry(error);
    }
  }

  /** The shared pass, if it can serve this read. */
  #sharedSpans({ filters, after, tail }: ColdReadRequest): SpanReader | undefined {
    const canShare = this.#direct.knowsBatches && !filters.includes('>');
    return canShare && tail.firstSequence - after <= MAX_SHARED_SPAN ? this.#spans : undefined;
  }

  async #readShared(
    key: string,
    spans: SpanReader,
    request: ColdReadRequest,
  ): Promise<ColdPage | ColdTruncated | ColdRetry> {
    const { stream, after } = request;
    if (spans.riders(stream) >= this.#maxWaiting) return this.#retry('overloaded');
    try {
      return await this.#budget.share(`shared ${key}`, async () => {
        const page = await spans.read(request);
        if (page === 'stale') return this.#retry('stale_replica');
        const { firstSequence } = await this.#retention.readFromLeader(stream);
        return firstSequence > after + 1 ? { kind: 'truncated' as const, firstSequence, page } : page;
      });
    } catch (error) {
      return this.#toRetry(error);
    }
  }

  async #read(
    request: ColdReadRequest,
    avoidsWalks: boolean,
  ): Promise<ColdPage | ColdTruncated | ColdRetry | { readonly kind: 'dense' }> {
    const { stream, filters, after, tail, maxEvents, maxBytes } = request;
    // A page is shared by its filters, and what lies past the one that reaches least far is read again.
    const share = filters.length === 1 ? 1 : Math.min(filters.length, 4) / 2;
    const limits = { maxEvents, maxBytes: Math.ceil(maxBytes / share) };
    const results = await Promise.all(
      filters.map((filter) =>
        this.#ranges.read({ stream, filter, after, limits, avoidsWalks, ...tailWitness(tail, filter, after) }),
      ),
    );
    const pages: FilterPage[] = [];
    for (const result of results) {
      if (result === 'stale') return this.#retry('stale_replica');
      if (result === 'dense') return { kind: 'dense' };
      pages.push(result);
    }
    const { firstSequence } = await this.#retention.readFromLeader(stream);
    const page = mergePages(pages, { maxEvents, maxBytes });
    return firstSequence > after + 1 ? { kind: 'truncated', firstSequence, page } : page;
  }

  async #bounded<T>(key: string, stream: string, bytes: number, read: () => Promise<T>): Promise<T | ColdRetry> {
    try {
      const result = await this.#budget.share(key, () => this.#budget.run(stream, bytes, read));
      return result ?? this.#retry('overloaded');
    } catch (error) {
      return this.#toRetry(error);
    }
  }

  #toRetry(error: unknown): ColdRetry {
    if (error instanceof GatewayError && UNAVAILABLE.has(error.code)) return this.#retry('nats_unavailable');
    throw error;
  }

  #retry(code: ColdRetryCode): ColdRetry {
    // Between one and two times the usual wait: whoever failed together does not come back together.
    return { kind: 'retry', code, afterMs: Math.round(RETRY_MS[code] * (1 + this.#random())) };
  }
}
