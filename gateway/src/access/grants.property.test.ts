// I4, as far as grants go: however leader, tail, markers, expiries, elections and other streams interleave, nobody rests on
// a grant that the pod knows to have ended, and whoever cannot be confirmed rests on nothing.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { untilMsOf } from './grant-table.ts';
import { ModelGrantStream, RecordingHolder, type StoredChange } from './grants.fixture.ts';
import { GrantBook, type GrantHold } from './grants.ts';

const GRANTS = ['chat.c-1.u-1', 'chat.c-1.u-2'] as const;
const grant = fc.constantFrom(...GRANTS);
/** STALE_MS and a sweep. */
const STALE_MS = 10_500;

const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('hold' as const), grant }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('put' as const), grant, forMs: fc.option(fc.nat(30_000)) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('end' as const), grant }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('tell' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('answer' as const), which: fc.nat(3), isLate: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('release' as const), which: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 12_000 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('cut' as const, 'heal', 'leaderGone', 'leaderBack') }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('replace' as const, 'purge'), keep: fc.nat(2) }) },
);

type Happening = typeof happening extends fc.Arbitrary<infer H> ? H : never;

interface Held {
  readonly grant: string;
  readonly holder: RecordingHolder;
  readonly hold: GrantHold;
  isReleased: boolean;
}

class World {
  readonly clock = new ManualClock();
  readonly stream = new ModelGrantStream();
  readonly faults: unknown[] = [];
  readonly book = new GrantBook({
    source: this.stream,
    clock: this.clock,
    onFault: (error) => this.faults.push(error),
  });
  readonly held: Held[] = [];
  /** The newest change that the tail has told of each grant in this generation. */
  readonly told = new Map<string, StoredChange>();
  #cutMs: number | undefined;
  /** How much each holder had been told when the stream was replaced. */
  #marks = new Map<RecordingHolder, number>();

  async happen(event: Happening): Promise<void> {
    const { book, stream, clock } = this;
    switch (event.what) {
      case 'hold': {
        const holder = new RecordingHolder();
        const hold = book.hold(event.grant, holder);
        expect(hold === undefined).toBe(!stream.isFollowing);
        if (hold) this.held.push({ grant: event.grant, holder, hold, isReleased: false });
        break;
      }
      case 'put':
        stream.put(event.grant, event.forMs === null ? undefined : clock.now() + event.forMs);
        break;
      case 'end':
        stream.end(event.grant);
        break;
      case 'tell':
        if (stream.isFollowing) this.tell(event.count);
        break;
      case 'answer': {
        const read = stream.reads[event.which];
        if (!read) break;
        // An outdated leader answers with what was before the newest change.
        const newest = stream.newest(read.grant);
        const old = stream.history.findLast((change) => change.grant === read.grant && change !== newest);
        if (event.isLate && stream.isLeaderThere) {
          stream.reads.splice(stream.reads.indexOf(read), 1);
          read.resolve(old);
        } else stream.answer(read);
        break;
      }
      case 'release': {
        const held = this.held[event.which];
        if (!held) break;
        held.hold.release();
        held.isReleased = true;
        break;
      }
      case 'pass':
        this.clock.advance(event.ms);
        break;
      case 'cut':
        stream.isFollowing = false;
        this.#cutMs ??= clock.now();
        break;
      case 'heal':
        stream.isFollowing = true;
        this.#cutMs = undefined;
        break;
      case 'leaderGone':
      case 'leaderBack':
        stream.isLeaderThere = event.what === 'leaderBack';
        break;
      case 'purge':
        stream.purge(event.keep);
        break;
      case 'replace':
        stream.replace(event.keep);
        this.told.clear();
        book.began();
        for (const { holder } of this.held) this.#marks.set(holder, holder.told.length);
    }
    await this.settle();
    this.check();
  }

  tell(count: number): void {
    for (const change of this.stream.untold.splice(0, count)) {
      this.told.set(change.grant, change);
      this.book.changed(change.grant, change.sequence, change.value);
    }
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  check(): void {
    const nowMs = this.clock.now();
    for (const { grant: name, holder, isReleased } of this.held) {
      if (isReleased || holder.last !== 'granted') continue;
      const change = this.told.get(name);
      // A put that the leader has told goes before an end that the tail told before it; a purge is told by nobody.
      const newest = this.stream.newest(name);
      const isOlder = change !== undefined && newest?.sequence !== change.sequence;
      if (change && !isOlder) expect(untilMsOf(change.value)).toBeGreaterThan(nowMs);
      if (this.#cutMs !== undefined) expect(nowMs - this.#cutMs).toBeLessThan(STALE_MS);
      const mark = this.#marks.get(holder);
      if (mark !== undefined) expect(holder.told.slice(mark)).toContain('granted');
    }
  }

  /** Everything is well again: whoever is still there has what the stream says. */
  async end(): Promise<void> {
    const { stream, clock } = this;
    stream.isFollowing = true;
    stream.isLeaderThere = true;
    this.#cutMs = undefined;
    this.tell(Number.POSITIVE_INFINITY);
    for (let round = 0; round < 8; round++) {
      clock.advance(500);
      await this.settle();
      while (stream.reads.length > 0) {
        stream.answer();
        await this.settle();
      }
    }
    this.check();
    for (const { grant: name, holder, isReleased } of this.held) {
      if (isReleased) continue;
      const isGranted = untilMsOf(stream.newest(name)?.value ?? new Uint8Array(0)) > clock.now();
      const isOver = holder.last !== 'granted';
      if (!isGranted) expect(isOver).toBe(true);
      // Over is over; of those that are not, none is left in the air.
      expect(['granted', 'forbidden', 'revoked', 'grants_unavailable']).toContain(holder.last);
      for (const [at, word] of holder.told.entries()) {
        if (word !== 'granted' && word !== 'suspended') expect(at).toBe(holder.told.length - 1);
      }
    }
    for (const { hold } of this.held) hold.release();
    expect(this.book.size).toBe(0);
    this.book.close();
    expect(clock.pending).toBe(0);
    expect(this.faults).toEqual([]);
  }
}

const NAME = 'chat.c-1.u-1';
/** The new stream is purged to begin where the one before it began: rare, and found once. */
const PURGED_AS_FAR_AS_THE_OLD_ONE: Happening[] = [
  ...Array.from({ length: 5 }, (): Happening => ({ what: 'put', grant: NAME, forMs: null })),
  { what: 'pass', ms: 500 },
  { what: 'replace', keep: 0 },
  { what: 'end', grant: NAME },
  ...Array.from({ length: 2 }, (): Happening => ({ what: 'put', grant: NAME, forMs: null })),
  { what: 'hold', grant: NAME },
  { what: 'end', grant: NAME },
  { what: 'answer', which: 0, isLate: true },
  { what: 'purge', keep: 0 },
];

test('nobody rests on a grant that has ended, or that nobody can vouch for (I4)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 60, size: 'max' }), async (happenings) => {
      const world = new World();
      for (const event of happenings) await world.happen(event);
      await world.end();
    }),
    { examples: [[PURGED_AS_FAR_AS_THE_OLD_ONE]], numRuns: Math.max(300, fc.readConfigureGlobal().numRuns ?? 0) },
  );
});
