// Compares what a client saw on a channel with what the streams hold: order, gaps, duplicates, foreign events, a
// missing tail, states that a snapshot left out. Between two resets the record must be whole.
import { isDeepStrictEqual } from 'node:util';
import type { NatsConnection } from '@nats-io/transport-node';
import { parsePosition } from '@sluice/schemas';
import type { StreamFilters } from './channel-filters.ts';
import { type RecordEntry, type RecordedEvent, type Recorder, typeOf } from './recorder.ts';
import { type StreamTruth, type TrueEvent, readStreams } from './stream-truth.ts';
import { matchesSubject } from './subject-match.ts';

export interface Expectation {
  /** What the channel carries for this client. */
  filters: readonly StreamFilters[];
  /**
   * What the client asked for where it had no position. `states`: the newest event per subject, then everything from
   * the first `live` on. `all`: everything retained. `tail`: whole from the first event seen on (last N, since).
   */
  first?: 'states' | 'all' | 'none' | 'tail';
  /** The client started behind these sequences, by stream: everything after them is expected. */
  after?: Readonly<Record<string, number>>;
  /** The last sequence that must have arrived, by stream; the stream's end by default. */
  to?: Readonly<Record<string, number>>;
  /** Types of which a newer event of the same subject stands in for an older one. */
  conflated?: readonly string[];
  /** Stored events that the gateway refuses to deliver (malformed payloads). */
  isRefused?: (event: TrueEvent) => boolean;
  /** How many states a snapshot holds at most; the newest ones. */
  maxStates?: number;
}

export type ProblemKind =
  | 'gap'
  | 'duplicate'
  | 'disorder'
  | 'missing_tail'
  | 'missing_state'
  | 'foreign'
  | 'different'
  | 'epoch_change'
  | 'after_live';

export interface Problem {
  kind: ProblemKind;
  text: string;
}

/** Of the reference catalogue; the others are states. */
const MOMENTS = new Set(['delivery.arrived']);
/** After these the events seen before are not those of the present stream. */
const OTHER_STREAM = new Set(['new_stream', 'rolled_back', 'ahead']);
const MAX_SHOWN = 12;

/** Reads the streams and throws, with every problem in words, unless the client's record of the channel is whole. */
export async function expectComplete(
  connection: NatsConnection,
  recorder: Recorder,
  channel: string,
  expectation: Expectation,
): Promise<void> {
  const truths = await readStreams(
    connection,
    expectation.filters.map(({ stream }) => stream),
  );
  assertComplete(recorder, channel, truths, expectation);
}

/** The same for many clients and channels with one reading of the streams. */
export function assertComplete(
  recorder: Recorder,
  channel: string,
  truths: readonly StreamTruth[],
  expectation: Expectation,
): void {
  const problems = findProblems(recorder.entries(channel), truths, expectation);
  if (problems.length === 0) return;
  const shown = problems.slice(0, MAX_SHOWN).map(({ kind, text }) => `- ${kind}: ${text}`);
  const more = problems.length > MAX_SHOWN ? [`- and ${problems.length - MAX_SHOWN} more`] : [];
  const resets = recorder.resets(channel);
  throw new Error(
    [
      `${recorder.name} on ${channel}: ${problems.length} problems in ${recorder.count(channel)} events` +
        ` (resets: ${resets.join(', ') || 'none'})`,
      ...shown,
      ...more,
    ].join('\n'),
  );
}

/** Pure. Every way in which the record is not what the streams say. */
export function findProblems(
  entries: readonly RecordEntry[],
  truths: readonly StreamTruth[],
  expectation: Expectation,
): Problem[] {
  const problems: Problem[] = [];
  const spans = splitAtResets(entries);
  for (const { stream, subjects } of expectation.filters) {
    const truth = truths.find((one) => one.stream === stream);
    if (!truth) throw new Error(`the truth of stream ${stream} is not given`);
    const isOfStream = familyTest(subjects);
    const check = new StreamCheck(truth, subjects, expectation, problems);
    spans.forEach((span, index) => check.span(span, isOfStream, index === 0, index === spans.length - 1));
  }
  findForeign(entries, expectation, problems);
  return problems;
}

interface Span {
  entries: RecordEntry[];
  /** The reset that ended it. */
  endedBy: string | undefined;
}

function splitAtResets(entries: readonly RecordEntry[]): Span[] {
  const spans: Span[] = [{ entries: [], endedBy: undefined }];
  for (const entry of entries) {
    const current = spans.at(-1)!;
    if (entry.kind === 'reset') {
      current.endedBy = entry.reason;
      spans.push({ entries: [], endedBy: undefined });
    } else current.entries.push(entry);
  }
  return spans;
}

/** Events of one stream in one span, and where the span became live. */
interface Seen {
  events: RecordedEvent[];
  liveAt: number | undefined;
  epoch: string | undefined;
}

class StreamCheck {
  readonly #truth: StreamTruth;
  readonly #expectation: Expectation;
  readonly #problems: Problem[];
  /** What the channel carries of the stream. */
  readonly #expected: readonly TrueEvent[];
  readonly #bySequence: ReadonlyMap<number, TrueEvent>;

  constructor(truth: StreamTruth, subjects: readonly string[], expectation: Expectation, problems: Problem[]) {
    this.#truth = truth;
    this.#expectation = expectation;
    this.#problems = problems;
    this.#expected = truth.events.filter(
      (event) => subjects.some((filter) => matchesSubject(filter, event.subject)) && !expectation.isRefused?.(event),
    );
    this.#bySequence = new Map(this.#expected.map((event) => [event.sequence, event]));
  }

  span(span: Span, isOfStream: (type: string) => boolean, isFirst: boolean, isLast: boolean): void {
    const seen = this.#collect(span, isOfStream);
    this.#checkOrder(seen.events);
    if (span.endedBy !== undefined && OTHER_STREAM.has(span.endedBy)) return;
    this.#checkIdentity(seen.events);
    this.#checkWhole(seen, isFirst, isLast);
  }

  #collect({ entries }: Span, isOfStream: (type: string) => boolean): Seen {
    const events = entries.filter((entry) => entry.kind === 'event' && isOfStream(entry.type)) as RecordedEvent[];
    const epoch = events[0]?.epoch;
    for (const event of events) {
      if (event.epoch === epoch) continue;
      this.#report('epoch_change', `the epoch changed from ${epoch} to ${event.epoch} at ${event.sequence}, no reset`);
      break;
    }
    let liveAt: number | undefined;
    for (const entry of entries) {
      if (entry.kind === 'live') {
        // The first one: later connections go on from where this one stood.
        liveAt ??= sequenceIn(entry.position, epoch);
      } else if (entry.kind === 'event' && liveAt !== undefined && entry.epoch === epoch && entry.sequence <= liveAt) {
        this.#report('after_live', `${entry.sequence} came after the channel was live at ${liveAt}`);
      }
    }
    return { events, liveAt, epoch };
  }

  #checkOrder(events: readonly RecordedEvent[]): void {
    const sequences = new Set<number>();
    let highest = 0;
    for (const { sequence } of events) {
      if (sequences.has(sequence)) this.#report('duplicate', `${sequence} came twice`);
      else if (sequence < highest) this.#report('disorder', `${sequence} came after ${highest}`);
      sequences.add(sequence);
      highest = Math.max(highest, sequence);
    }
  }

  #checkIdentity(events: readonly RecordedEvent[]): void {
    for (const event of events) {
      const truth = this.#bySequence.get(event.sequence);
      if (!truth) {
        // Retention may have removed it since.
        if (event.sequence < this.#truth.firstSequence) continue;
        this.#report('foreign', `${event.sequence} (${event.type}) is not on this channel`);
      } else if (truth.timeMs !== event.timeMs || typeOf(truth.subject) !== event.type) {
        const what = `${typeOf(truth.subject)} of ${truth.timeMs}`;
        this.#report('different', `${event.sequence} is ${what}, came as ${event.type} of ${event.timeMs}`);
      } else if (truth.data !== undefined && !isDeepStrictEqual(truth.data, event.data)) {
        const data = JSON.stringify(event.data)?.slice(0, 200);
        this.#report('different', `${event.sequence} holds other data: ${data}`);
      }
    }
  }

  #checkWhole({ events, liveAt }: Seen, isFirst: boolean, isLast: boolean): void {
    const { stream } = this.#truth;
    const seen = new Set(events.map(({ sequence }) => sequence));
    const lastSeen = events.reduce((highest, { sequence }) => Math.max(highest, sequence), 0);
    const to = isLast ? (this.#expectation.to?.[stream] ?? Number.POSITIVE_INFINITY) : lastSeen;
    const after = isFirst ? this.#expectation.after?.[stream] : undefined;
    const from = after ?? this.#wholeAfter(events, liveAt);
    if (after === undefined && (this.#expectation.first ?? 'states') === 'states' && (isLast || liveAt !== undefined)) {
      this.#checkStates(seen, Math.min(liveAt ?? to, to));
    }
    const sequences = events.map(({ sequence }) => sequence).sort((left, right) => left - right);
    for (const [before, run] of runsBetween(sequences, this.#missing(seen, from, to))) {
      const kind = run[0]!.sequence > lastSeen ? 'missing_tail' : 'gap';
      this.#report(kind, `after ${before || 'nothing'}: ${describe(run)} did not come`);
    }
  }

  /** The sequence after which nothing may be missing. */
  #wholeAfter(events: readonly RecordedEvent[], liveAt: number | undefined): number {
    const { first = 'states' } = this.#expectation;
    if (first === 'all') return 0;
    if (first === 'tail') return (events[0]?.sequence ?? 1) - 1;
    // Never live: the snapshot was cut short, what follows the last event cannot be told.
    return liveAt ?? Number.POSITIVE_INFINITY;
  }

  #missing(seen: ReadonlySet<number>, from: number, to: number): TrueEvent[] {
    const newestSeen = new Map<string, number>();
    const conflated = new Set(this.#expectation.conflated);
    for (const event of this.#expected) if (seen.has(event.sequence)) newestSeen.set(event.subject, event.sequence);
    return this.#expected.filter(({ sequence, subject }) => {
      if (sequence <= from || sequence > to || seen.has(sequence)) return false;
      return !(conflated.has(typeOf(subject)) && (newestSeen.get(subject) ?? 0) > sequence);
    });
  }

  /** A snapshot brings the newest event of each subject that is a state. */
  #checkStates(seen: ReadonlySet<number>, upTo: number): void {
    const newest = new Map<string, TrueEvent>();
    for (const event of this.#expected) {
      if (event.sequence <= upTo && !MOMENTS.has(typeOf(event.subject))) newest.set(event.subject, event);
    }
    const states = [...newest.values()].sort((left, right) => right.sequence - left.sequence);
    for (const state of states.slice(0, this.#expectation.maxStates ?? 200)) {
      if (!seen.has(state.sequence)) this.#report('missing_state', `${describe([state])} did not come`);
    }
  }

  #report(kind: ProblemKind, text: string): void {
    this.#problems.push({ kind, text: `${this.#truth.stream}: ${text}` });
  }
}

/** Events of families that the channel does not carry at all. */
function findForeign(entries: readonly RecordEntry[], { filters }: Expectation, problems: Problem[]): void {
  const tests = filters.map(({ subjects }) => familyTest(subjects));
  for (const entry of entries) {
    if (entry.kind !== 'event' || tests.some((isOfStream) => isOfStream(entry.type))) continue;
    problems.push({ kind: 'foreign', text: `${entry.type} (${entry.sequence}) is of no family of this channel` });
  }
}

/** Families do not span streams, so that a type tells its stream. */
function familyTest(subjects: readonly string[]): (type: string) => boolean {
  const families = new Set(subjects.map((subject) => subject.split('.')[0]));
  return (type) => families.has(type.split('.')[0]);
}

function sequenceIn(position: string | undefined, epoch: string | undefined): number | undefined {
  if (position === undefined || epoch === undefined) return undefined;
  const parsed = parsePosition(position);
  return parsed.ok ? parsed.value.entries.find((entry) => entry.epoch === epoch)?.sequence : undefined;
}

/** The missing events by the seen one before them, so that a long gap is one line. Both ascend. */
function runsBetween(seen: readonly number[], missing: readonly TrueEvent[]): Map<number, TrueEvent[]> {
  const runs = new Map<number, TrueEvent[]>();
  let index = 0;
  for (const event of missing) {
    while (index < seen.length && seen[index]! < event.sequence) index += 1;
    const before = seen[index - 1] ?? 0;
    const run = runs.get(before);
    if (run) run.push(event);
    else runs.set(before, [event]);
  }
  return runs;
}

function describe(run: readonly TrueEvent[]): string {
  const [first] = run;
  const last = run.at(-1);
  const text = `${first?.sequence} (${first?.subject})`;
  return run.length === 1 ? text : `${text} to ${last?.sequence} (${last?.subject}), ${run.length} events,`;
}
