// A subscription that is behind the head: its cursors, and the turns and pages that bring it there. It ends when the
// subscription is live or starts again; what is still under way for it then is ignored when it comes (I4).
import type { ErrorCode } from '@sluice/schemas';
import { needsColdRead, type Cursor } from '../delivery/catch-up.ts';
import type { LiveChannel } from '../delivery/live-channel.ts';
import type { Pumped } from '../delivery/pump.ts';
import type { Cold } from '../log/cold.ts';
import { heldBytesOf, takePage } from './cursors.ts';
import type { Pod } from './pod.ts';
import type { Session } from './session.ts';
import type { Subscriptions } from './subscriptions.ts';

/** About what one turn sends: large enough to share well, small enough to leave room in the smallest budget. */
const CHUNK_BYTES = 32 * 1024;
const COLD_PAGE_EVENTS = 256;
const COLD_PAGE_BYTES = 512 * 1024;
/** Whoever has not asked for so long waited for room in its own socket, not for NATS. */
const OWN_WAIT_MS = 10_000;

/** The subscription, as far as it is told what happens here. */
export interface Pursuer extends Pumped {
  readonly channel: LiveChannel;
  /** Nothing is owed any more. */
  goLive(): void;
  /** A page has come, or it could not be asked for: nothing is stuck. */
  moved(): void;
  /** The stream begins at `from` now, past a cursor. */
  reset(reason: 'truncated', from: number): void;
  /** Calls `again` later, unless there was no progress for too long. */
  later(code: ErrorCode, afterMs: number, again: () => void): void;
  fail(error: unknown): void;
}

export class Behind {
  readonly #pursuer: Pursuer;
  readonly #session: Session;
  readonly #siblings: Subscriptions;
  readonly #pod: Pod;
  readonly #cursors: Cursor[];
  /** A cold read is queued or under way: there is one at a time. */
  #isReading = false;
  #isOver = false;
  /** When it was told to come later the last time. */
  #refusedMs = 0;

  constructor(pursuer: Pursuer, session: Session, siblings: Subscriptions, pod: Pod, cursors: Cursor[]) {
    this.#pursuer = pursuer;
    this.#session = session;
    this.#siblings = siblings;
    this.#pod = pod;
    this.#cursors = cursors;
  }

  /** At or below this sequence of a stream of the channel nothing is owed. */
  settled(stream: number): number | undefined {
    return this.#cursors[stream]?.after;
  }

  /** Bytes that were read from JetStream and have not been sent. */
  get heldBytes(): number {
    return heldBytesOf(this.#cursors);
  }

  end(): void {
    this.#isOver = true;
  }

  /** One chunk, if there is one. True if there is more to do right away. */
  turn(): boolean {
    const { channel } = this.#pursuer;
    const { chunks, writer, counters } = this.#pod;
    const coldStream = needsColdRead(channel, this.#cursors);
    if (coldStream !== undefined) {
      this.#readPage(coldStream, this.#cursors[coldStream]!);
      return false;
    }
    const chunk = chunks.chunk(channel, this.#cursors, this.#session.encoding, CHUNK_BYTES, writer);
    for (const [stream, after] of chunk.after.entries()) this.#cursors[stream]!.after = after;
    if (chunk.events > 0) this.#session.pushEvents(chunk.bytes, chunk.ends);
    counters.delivered += chunk.events;
    counters.fromCold += chunk.coldEvents;
    counters.fromTail += chunk.events - chunk.coldEvents;
    if (!chunk.isAtHead) return true;
    this.#pursuer.goLive();
    return false;
  }

  #readPage(stream: number, cursor: Cursor): void {
    if (this.#isReading || !this.#hasRoomForPage()) return;
    this.#isReading = true;
    const { tail, filters } = this.#pursuer.channel.streams[stream]!;
    this.#siblings.coldRead(async () => {
      // Its turn may come when the reads before it have filled the room.
      if (this.#isOver || !this.#hasRoomForPage()) return void (this.#isReading = false);
      this.#pod.counters.coldReads++;
      if (this.#pod.clock.now() - this.#refusedMs > OWN_WAIT_MS) this.#pursuer.moved();
      let result: Awaited<ReturnType<Cold['read']>>;
      try {
        result = await this.#pod.cold.read({
          stream: tail.stream,
          filters,
          after: cursor.after,
          tail,
          maxEvents: COLD_PAGE_EVENTS,
          maxBytes: Math.min(COLD_PAGE_BYTES, Math.max(CHUNK_BYTES, this.#siblings.pageRoomBytes)),
        });
      } catch (error) {
        return this.#isOver ? this.#pod.onFault(error, 'cold read') : this.#pursuer.fail(error);
      }
      // The subscription may have ended, been reset or been rebound to other filters while the answer was under way.
      if (this.#isOver) return;
      if (result.kind === 'truncated') return this.#pursuer.reset('truncated', result.firstSequence);
      if (result.kind === 'retry') {
        this.#refusedMs = this.#pod.clock.now();
        const code = result.code === 'overloaded' ? 'overloaded' : 'unavailable';
        // Reading until then: whatever wakes the session meanwhile must not ask again.
        return this.#pursuer.later(code, result.afterMs, () => {
          this.#isReading = false;
          this.#session.requestTurn();
        });
      }
      this.#isReading = false;
      this.#pursuer.moved();
      takePage(cursor, result.events, result.through);
      this.#session.requestTurn();
    });
  }

  /** One that holds a page of another stream of the channel cannot send it without this one. */
  #hasRoomForPage(): boolean {
    return this.heldBytes > 0 || this.#siblings.hasRoomForPage(this.#pursuer);
  }
}
