// Who is a member of what: of the grants in use, and only of those, the newest change that is known, be it from the tail
// of their stream or from its leader. Fails closed: whoever cannot be confirmed gets nothing. Knows no NATS and no channel.
//
//   hold ──▶ waiting ──leader──▶ open ──▶ suspended: another generation, or the tail has not followed for a while
//               │                 ▲  │        │
//               ▼                 └──leader───┘          any ──▶ over: forbidden, revoked or grants_unavailable
import { delay, type Clock } from '../operations/clock.ts';
import { GrantTable, type GrantHolder, type Hold } from './grant-table.ts';
import { Places } from './limits.ts';

export type { GrantDenial, GrantHolder } from './grant-table.ts';

/** The newest change of a grant as it is stored. */
export interface GrantChange {
  readonly sequence: number;
  /** Empty for whatever ends a grant: a delete, a purge, a marker. */
  readonly value: Uint8Array;
}

export interface GrantSource {
  /** As the stream's leader has it; undefined if it has none. Throws if no leader answers. */
  read(grant: string): Promise<GrantChange | undefined>;
  /** The tail follows its stream, and the leader was heard of lately. */
  isCurrent(): boolean;
  /** What the leader stored before this, it stores no more; 0 if nobody knows. */
  firstSequence(): number;
}

export interface GrantsOptions {
  readonly source: GrantSource;
  readonly clock: Clock;
  readonly onFault: (error: unknown, where: string) => void;
}

/** Somebody's interest in a grant; the holder is told of changes until it is released. */
export interface GrantHold {
  readonly grant: string;
  release(): void;
}

/** What sessions need to know of grants. */
export interface Grants {
  /** Asks the leader, and tells the holder; undefined while memberships cannot be read. */
  hold(grant: string, holder: GrantHolder): GrantHold | undefined;
}

/** As long as an election may take: so long members stay what they were when the tail was last heard of. */
const STALE_MS = 10_000;
/** A client is better off asking again, perhaps another pod, than being suspended longer than this. */
const PATIENCE_MS = 10_000;
const SWEEP_MS = 500;
const READS_AT_ONCE = 32;
/** Subscribes that wait for a read; beyond it they are told to come back. */
const MAX_WAITING_READS = 10_000;
const RETRY_MS = 100;

/** Told by the tail: `began` and `changed`, in stream order. */
export class GrantBook implements Grants {
  readonly #source: GrantSource;
  readonly #clock: Clock;
  readonly #onFault: GrantsOptions['onFault'];
  readonly #table: GrantTable;
  readonly #sweeper: { readonly kind: 'timer' };
  #currentMs: number;
  readonly #reads = new Places(READS_AT_ONCE);
  #isConfirming = false;
  #firstSequence = 0;

  constructor({ source, clock, onFault }: GrantsOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#onFault = onFault;
    this.#table = new GrantTable(clock, onFault);
    this.#currentMs = clock.now();
    this.#sweeper = clock.setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Grants in use. */
  get size(): number {
    return this.#table.size;
  }

  get suspendedCount(): number {
    return this.#table.suspendedCount;
  }

  get isCurrent(): boolean {
    return this.#source.isCurrent();
  }

  hold(grant: string, holder: GrantHolder): GrantHold | undefined {
    if (!this.#source.isCurrent() || this.#reads.waitingCount >= MAX_WAITING_READS) return undefined;
    // Interest first: what is stored after the leader's answer comes by the tail.
    const hold = this.#table.hold(grant, holder);
    this.#admit(hold).catch((error: unknown) => {
      this.#onFault(error, 'grant');
      this.#table.deny(hold, 'grants_unavailable');
    });
    return { grant, release: () => this.#table.release(hold) };
  }

  /** The stream is another one than it was: nothing that is known of grants holds any more. */
  began(): void {
    this.#firstSequence = 0;
    this.#table.begin();
    this.#table.suspend(this.#clock.now());
  }

  changed(grant: string, sequence: number, value: Uint8Array): void {
    this.#table.changed(grant, sequence, value);
  }

  close(): void {
    this.#clock.clear(this.#sweeper);
    this.#table.close();
  }

  async #admit(hold: Hold): Promise<void> {
    while (hold.state === 'waiting') {
      const isAnswered = await this.#ask(hold.grant, () => [hold]);
      if (isAnswered === undefined) return this.#table.deny(hold, 'grants_unavailable');
      // Of an earlier generation, or of what has been purged: once more.
      if (!isAnswered) await delay(this.#clock, RETRY_MS);
    }
  }

  /** True if the table could use the answer, undefined if there was none. */
  #ask(grant: string, holds: () => readonly Hold[]): Promise<boolean | undefined> {
    return this.#reads.run(async () => {
      const asked = holds();
      const question = this.#table.ask(grant, asked);
      if (asked.every(({ state }) => state === 'over')) return true;
      let change: GrantChange | undefined;
      try {
        change = await this.#source.read(grant);
      } catch {
        return undefined; // No leader answers: the reader notices too, and its status says why.
      }
      // What the tail does not follow it could not take back.
      return this.#source.isCurrent() ? this.#table.answer(question, change) : undefined;
    });
  }

  #sweep(): void {
    const nowMs = this.#clock.now();
    // Of a clock that was set back: who is in must not stay for as long.
    this.#currentMs = Math.min(this.#currentMs, nowMs);
    if (this.#source.isCurrent()) {
      this.#currentMs = nowMs;
      this.#noticePurge(nowMs);
      void this.#confirm();
    } else if (nowMs - this.#currentMs >= STALE_MS) this.#table.suspend(nowMs);
    this.#table.denySuspendedFor(PATIENCE_MS, nowMs);
  }

  /** No message tells of what was purged. */
  #noticePurge(nowMs: number): void {
    const firstSequence = this.#source.firstSequence();
    if (firstSequence === this.#firstSequence) return;
    this.#firstSequence = firstSequence;
    this.#table.purged(firstSequence, nowMs);
  }

  /** Every grant in use that is suspended is read again. Never rejects. */
  async #confirm(): Promise<void> {
    if (this.#isConfirming) return;
    this.#isConfirming = true;
    try {
      const grants = this.#table.suspendedGrants();
      await Promise.all(Array.from(grants, (grant) => this.#ask(grant, () => this.#table.suspendedHolds(grant))));
    } catch (error) {
      this.#onFault(error, 'grants');
    } finally {
      this.#isConfirming = false;
    }
  }
}
