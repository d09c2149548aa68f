// How far a channel was read, stream by stream: decides what is a duplicate. Pure; knows frames' fields, not sockets.
import { encodePosition, type EncodedPosition, type Position, type StreamRefs } from '@sluice/schemas';

/** One stream of one channel. Mutable: the hot path of delivery touches nothing else. */
export interface StreamCursor {
  readonly epoch: string;
  /** Sequence of the last event that was delivered or is known not to be owed; -1 before the first. */
  sequence: number;
  timeMs: number;
}

export type Head = readonly [epoch: string, sequence: number, timeMs: number];

/** No event was delivered and none skipped yet: whatever comes first is new. */
const NOTHING = -1;

export class Cursor {
  #key = '';
  #streams = new Map<string, StreamCursor>();

  constructor(position?: Position) {
    if (position) this.reset(position);
  }

  /**
   * The gateway accepted the subscription. It goes on from the client's own position where it says so; otherwise from
   * the position given, in which streams that begin with a snapshot have no entry: nothing of those is a duplicate.
   * Returns the cursors of the streams, in the order of `streams`.
   */
  begin(streams: StreamRefs, position: Position, isRecovered: boolean): readonly StreamCursor[] {
    const own = this.#streams;
    this.reset(position, streams);
    if (isRecovered) for (const { epoch, sequence, timeMs } of own.values()) this.#raise(epoch, sequence, timeMs);
    return streams.map(([, epoch]) => this.#streams.get(epoch)!);
  }

  /** Forgets everything and stands at `position`: the only way in which an entry goes back. */
  reset(position: Position, streams: StreamRefs = []): readonly StreamCursor[] {
    this.#key = position.key;
    this.#streams = new Map(streams.map(([, epoch]) => [epoch, { epoch, sequence: NOTHING, timeMs: 0 }]));
    for (const { epoch, sequence, timeMs } of position.entries) {
      // Before `begin` the streams of the channel are not known: all entries are kept, to be sent with the subscribe.
      if (streams.length === 0 || this.#streams.has(epoch)) this.#streams.set(epoch, { epoch, sequence, timeMs });
    }
    return streams.map(([, epoch]) => this.#streams.get(epoch)!);
  }

  /** Everything up to `position` has been delivered. */
  reach(position: Position): void {
    this.#key = position.key;
    for (const { epoch, sequence, timeMs } of position.entries) this.#raise(epoch, sequence, timeMs);
  }

  /** Heads of a ping. A stream without an entry still waits for its snapshot, which a head must not skip. */
  raiseToHeads(heads: readonly Head[]): boolean {
    let isRaised = false;
    for (const [epoch, sequence, timeMs] of heads) {
      if ((this.#streams.get(epoch)?.sequence ?? NOTHING) === NOTHING) continue;
      isRaised = this.#raise(epoch, sequence, timeMs) || isRaised;
    }
    return isRaised;
  }

  /** Absent while no stream has an entry: there is nothing to go on from. */
  encoded(): EncodedPosition | undefined {
    const entries = [...this.#streams.values()].filter((stream) => stream.sequence !== NOTHING);
    return entries.length > 0 ? encodePosition({ key: this.#key, entries }) : undefined;
  }

  #raise(epoch: string, sequence: number, timeMs: number): boolean {
    const stream = this.#streams.get(epoch);
    if (!stream || sequence <= stream.sequence) return false;
    stream.sequence = sequence;
    stream.timeMs = timeMs;
    return true;
  }
}
