// I1 to I4 over real sessions, subscriptions, channels and tails: a client that follows docs/PROTOCOL.md, a log that
// grows, is cut, rolled back and created anew, a pod that lags and is replaced, sockets that do not read, cold reads that
// dawdle and fail, tokens that change - in whatever order. Once with every event owed, once where locations are conflated.
import { mustCompileCatalogue, orders, stateFiltersOf, type Catalogue } from '@sluice/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolveChannel, type Principal } from '../access/permission.ts';
import { ORDERS } from '../delivery/delivery.fixture.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { ClientChannel, ModelClient } from './model-client.fixture.ts';
import { createTestPod, settle, type TestPod } from './pod.fixture.ts';

const WHO: readonly Principal[] = [
  { subject: 'u-1', role: 'customer', claims: {} },
  { subject: 'u-1', role: 'merchant_owner', claims: { merchantId: 'm-1' } },
  { subject: 'u-1', role: 'merchant_owner', claims: { merchantId: ['m-1', 'm-2'] } },
  { subject: 'u-1', role: 'admin', claims: {} },
];
const SUBJECTS = {
  ORDER: [
    'order.m-1.u-1.o-1.status_changed',
    'order.m-1.u-1.o-1.location_updated',
    'delivery.m-1.u-1.o-1.arrived',
    'order.m-2.u-2.o-1.created',
    'order.m-1.u-2.o-2.status_changed',
    'order.m-9.u-9.o-9.created',
  ],
  PAYMENT: ['payment.m-1.u-1.o-1.confirmed', 'payment.m-1.u-2.o-1.failed', 'payment.m-9.u-9.o-9.failed'],
} as const;
const STREAMS = ['ORDER', 'PAYMENT'] as const;
type StreamName = (typeof STREAMS)[number];
const FAT_BYTES = 1_100_000;
const CONFLATED_EVERY_MS = 2_000;
const QUIET_MS = 25;
/** The same families, channels and filters, so that what a token grants is the same. */
const CONFLATING: Catalogue = mustCompileCatalogue({
  ...orders,
  families: orders.families.map((family) => ({
    ...family,
    types: Object.fromEntries(
      Object.entries(family.types).map(([name, type]) => [
        name,
        name === 'location_updated' ? { ...type, conflate: { everyMs: CONFLATED_EVERY_MS } } : type,
      ]),
    ),
  })),
});
const isConflated = (subject: string): boolean => subject.endsWith('.location_updated');

type Step =
  | { kind: 'append'; stream: StreamName; subject: number; filler: number; isRead: boolean }
  | { kind: 'marker' | 'evict' | 'recreate'; stream: StreamName }
  | { kind: 'deliver' | 'truncate' | 'rollBack'; stream: StreamName; count: number }
  | { kind: 'cold'; which: number; how: 'answer' | 'answer' | 'stale' | 'overloaded' | 'fault' }
  | { kind: 'turn' | 'settle' | 'break' | 'sweep' | 'verify' }
  | { kind: 'connect'; capacity: number }
  | { kind: 'newPod'; back: number }
  | { kind: 'read'; bytes: number }
  | { kind: 'auth'; who: number; isSlow: boolean }
  | { kind: 'subscribe' | 'unsubscribe'; channel: number }
  | { kind: 'advance'; ms: number };

const of = <const K extends string, R extends Record<string, fc.Arbitrary<unknown>>>(
  weight: number,
  kind: K | readonly K[],
  rest: R = {} as R,
) => ({
  weight: Math.round(10 * weight),
  arbitrary: fc.record({
    kind: fc.constantFrom(...(Array.isArray(kind) ? (kind as K[]) : [kind as K])),
    ...rest,
  }) as unknown as fc.Arbitrary<Step>,
});
const stream = fc.constantFrom('ORDER', 'ORDER', 'PAYMENT');
const step: fc.Arbitrary<Step> = fc.oneof(
  of(14, 'append', { stream, subject: fc.nat(5), filler: fc.constantFrom(0, 0, 0, 900, 20_000), isRead: fc.boolean() }),
  of(2, 'marker', { stream }),
  of(4, 'deliver', { stream, count: fc.integer({ min: 1, max: 5 }) }),
  of(1, 'evict', { stream }),
  of(1, 'truncate', { stream, count: fc.nat(8) }),
  of(0.3, 'rollBack', { stream, count: fc.integer({ min: 1, max: 4 }) }),
  of(0.3, 'recreate', { stream }),
  of(7, 'cold', {
    which: fc.nat(3),
    how: fc.constantFrom('answer', 'answer', 'answer', 'answer', 'stale', 'overloaded', 'fault'),
  }),
  of(8, ['turn', 'turn', 'settle']),
  of(2, 'sweep'),
  of(1, 'break'),
  of(3, 'connect', { capacity: fc.constantFrom(0, 500, 5_000, 1e9) }),
  of(0.6, 'newPod', { back: fc.nat(6) }),
  of(5, 'read', { bytes: fc.constantFrom(100, 1_000, 10_000, 1e9) }),
  of(1.5, 'auth', { who: fc.nat(WHO.length - 1), isSlow: fc.boolean() }),
  of(1, 'verify'),
  of(2, ['subscribe', 'unsubscribe'], { channel: fc.nat(2) }),
  of(2, 'advance', { ms: fc.constantFrom(1, 20, 600, 3_000) }),
);
const first = fc.constantFrom('states' as const, 'all' as const, 'none' as const);

class World {
  readonly streams: ReadonlyMap<string, ModelStream> = new Map(STREAMS.map((name) => [name, new ModelStream(name)]));
  readonly cold = new ModelCold(this.streams);
  readonly client: ModelClient;
  readonly encoding: 'msgpack' | 'json';
  readonly catalogue: Catalogue;
  pod: TestPod;
  /** Per stream: the next sequence that the pod's reader brings. */
  readonly next = new Map<string, number>();
  #timeMs = 1_700_000_000_000;

  constructor(
    firsts: readonly ('states' | 'all' | 'none')[],
    encoding: 'msgpack' | 'json',
    mayPassHead: boolean,
    maxSubjects: number,
    catalogue: Catalogue,
  ) {
    this.encoding = encoding;
    this.catalogue = catalogue;
    this.cold.mayPassHead = mayPassHead;
    this.cold.maxSubjects = maxSubjects;
    this.client = new ModelClient(
      WHO[0]!,
      ['order:o-1', 'user:u-1', 'merchant:m-1'].map((name, i) => new ClientChannel(name, firsts[i]!)),
    );
    this.pod = this.newPod(0);
  }

  newPod(back: number): TestPod {
    this.client.disconnect();
    // What an earlier pod has asked is answered to nobody.
    this.cold.asked.length = 0;
    this.pod = createTestPod({
      cold: this.cold,
      catalogue: this.catalogue,
      limits: { socketBudgetBytes: 2_000, pingIntervalMs: 1_000 },
      maxBatchBytes: 500,
      leaderOf: (name) => ({
        lastSequence: this.streams.get(name)!.last,
        readMs: Math.floor(this.pod.clock.now() / 500) * 500,
      }),
    });
    for (const log of this.streams.values()) this.begin(log, 'boot', back);
    return this.pod;
  }

  begin(log: ModelStream, cause: 'boot' | 'new_stream' | 'rolled_back', back: number): void {
    const from = Math.max(log.first, log.last + 1 - back);
    this.next.set(log.name, from);
    this.pod.sinkOf(log.name).begin({ stream: log.name, epoch: log.epoch, created: log.epoch }, from, cause);
    this.deliver(log, back);
  }

  deliver(log: ModelStream, count: number): void {
    const sink = this.pod.sinkOf(log.name);
    const due = log.events.filter(({ sequence }) => sequence >= this.next.get(log.name)!).slice(0, count);
    for (const { sequence, timeMs, subject, payload, isMarker } of due) {
      if (isMarker) sink.skip(sequence, timeMs, subject);
      else sink.append(sequence, timeMs, subject, payload);
      this.next.set(log.name, sequence + 1);
    }
  }

  connect(capacity: number): void {
    if (!this.client.connection) this.client.connect(this.pod.connect(this.encoding, capacity));
  }

  async run(one: Step): Promise<void> {
    const log = 'stream' in one ? this.streams.get(one.stream)! : undefined!;
    switch (one.kind) {
      case 'append':
        log.append(++this.#timeMs, SUBJECTS[one.stream][one.subject % SUBJECTS[one.stream].length]!, one);
        if (one.isRead) this.deliver(log, 1_000);
        return;
      case 'marker':
        return log.append(++this.#timeMs, `${log.name.toLowerCase()}.m.u.o.created`, { isMarker: true });
      case 'deliver':
        return this.deliver(log, one.count);
      case 'evict': {
        // An event that fills its segment, and one that begins the next.
        const nobodys = SUBJECTS[one.stream].at(-1)!;
        log.append(++this.#timeMs, nobodys, { filler: FAT_BYTES });
        log.append(++this.#timeMs, nobodys);
        this.deliver(log, 1_000);
        return this.pod.tails.get(log.name)!.evictOldest();
      }
      case 'truncate':
        // Never of what the pod has yet to read: that would be a hole like any other to its reader.
        return log.truncate(
          Math.min(this.next.get(log.name)!, this.pod.tails.get(log.name)!.firstSequence + 2 - one.count),
        );
      case 'rollBack': {
        log.rollBack(log.last - one.count);
        log.append(++this.#timeMs, SUBJECTS[one.stream][0]!);
        return this.begin(log, 'rolled_back', 3);
      }
      case 'recreate':
        log.recreate();
        return this.begin(log, 'new_stream', 0);
      case 'cold': {
        const [asked] = this.cold.asked.splice(one.which % Math.max(1, this.cold.asked.length), 1);
        if (one.how === 'answer') asked?.answer();
        else if (one.how === 'fault') asked?.fault(new Error('cold'));
        else asked?.refuse({ kind: 'retry', afterMs: 50, code: one.how === 'stale' ? 'stale_replica' : one.how });
        return settle();
      }
      case 'turn':
        return this.pod.turn();
      case 'settle':
        return settle();
      case 'break':
        return this.client.disconnect();
      case 'sweep':
        return this.pod.sessions.sweep(this.pod.clock.now());
      case 'verify':
        this.pod.verifying.shift()?.();
        return settle();
      case 'connect':
        return this.connect(one.capacity);
      case 'newPod':
        this.newPod(one.back);
        return;
      case 'read':
        return this.client.read(one.bytes);
      case 'auth':
        return this.client.refresh(WHO[one.who]!, one.isSlow);
      case 'subscribe':
      case 'unsubscribe':
        return this.client[one.kind](this.client.channels[one.channel]!);
      case 'advance':
        this.pod.clock.advance(one.ms);
    }
  }

  /** From here on all is well: everything that is owed must arrive. */
  async quiesce(): Promise<void> {
    for (const channel of this.client.channels)
      channel.isWanted ||= resolveChannel(ORDERS, this.client.principal, channel.name).ok;
    for (let round = 0; round < 600; round++) {
      for (const log of this.streams.values()) this.deliver(log, 1_000);
      this.connect(1e9);
      while (this.pod.verifying.length > 0) this.pod.verifying.shift()!();
      for (const asked of this.cold.asked.splice(0)) asked.answer();
      await settle();
      this.pod.turn();
      this.client.read();
      if (this.client.isWelcome)
        for (const channel of this.client.channels) if (channel.isWanted) this.client.subscribe(channel);
      await settle();
      this.pod.clock.advance(QUIET_MS);
      this.pod.sessions.sweep(this.pod.clock.now());
      const isFlushed = this.catalogue === ORDERS || round * QUIET_MS > CONFLATED_EVERY_MS;
      if (round > 20 && isFlushed && this.isDone()) return;
    }
    throw new Error(
      `not live after all is well: ${this.client.channels.map(({ name, status }) => `${name} ${status.kind}`).join(', ')}`,
    );
  }

  isDone(): boolean {
    return (
      this.cold.asked.length === 0 &&
      this.client.channels.every(({ isWanted, status }) => !isWanted || status.kind === 'live')
    );
  }

  check(): void {
    expect(this.client.granted).toEqual(this.client.principal);
    for (const channel of this.client.channels) {
      if (!channel.isWanted) continue;
      const resolved = resolveChannel(ORDERS, this.client.granted, channel.name);
      if (!resolved.ok) throw new Error(`${channel.name} is live although ${resolved.error}`);
      for (const { stream: name, filters } of resolved.value.streams) {
        const log = this.streams.get(name)!;
        const fold = channel.folds.get(log.epoch);
        if (!fold || fold.after === undefined) throw new Error(`${channel.name} folds nothing of ${log.epoch}`);
        const owed = this.#owed(log.matching(filters, fold.after, log.history), fold.seen);
        const of = `${channel.name} ${log.epoch} after ${fold.after}`;
        const seen = fold.isSnapshot ? fold.seen.filter((sequence) => sequence > fold.after!) : fold.seen;
        expect([of, seen]).toEqual([of, owed]);
        expect([of, fold.seen]).toEqual([of, [...new Set(fold.seen)].sort((a, b) => a - b)]);
        if (!fold.isSnapshot) continue;
        const newest = new Map(
          log.matching(stateFiltersOf(ORDERS.families, filters)).map(({ subject, sequence }) => [subject, sequence]),
        );
        for (const [subject, sequence] of newest)
          expect([of, subject, fold.seen]).toEqual([of, subject, expect.arrayContaining([sequence])]);
      }
    }
    // The wire itself repeats nothing, but where a replica was ahead of the pod.
    if (!this.cold.mayPassHead) expect(this.client.duplicates).toBe(0);
  }

  /** Less what is conflated and has a newer one of its subject among what was seen. */
  #owed(events: readonly { readonly sequence: number; readonly subject: string }[], seen: readonly number[]): number[] {
    const isSeen = new Set(seen);
    const isLeftOut = ({ sequence, subject }: (typeof events)[number]): boolean =>
      this.catalogue === CONFLATING &&
      isConflated(subject) &&
      !isSeen.has(sequence) &&
      events.some((newer) => newer.subject === subject && newer.sequence > sequence && isSeen.has(newer.sequence));
    return events.filter((event) => !isLeftOut(event)).map(({ sequence }) => sequence);
  }
}

test('whatever happens, a client folds each granted event once and in order, or is told to start again (I1 to I4)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(first, first, first),
      fc.constantFrom('msgpack' as const, 'json' as const),
      fc.boolean(),
      fc.constantFrom(1, Number.POSITIVE_INFINITY),
      fc.constantFrom('orders' as const, 'conflating' as const),
      fc.array(step, { minLength: 10, maxLength: 70, size: 'max' }),
      async (firsts, encoding, mayPassHead, maxSubjects, which, steps) => {
        const world = new World(firsts, encoding, mayPassHead, maxSubjects, which === 'orders' ? ORDERS : CONFLATING);
        for (const one of steps) await world.run(one);
        await world.quiesce();

        world.check();

        // Nothing is left behind of connections that are gone.
        world.client.disconnect();
        expect([
          world.pod.sessions.size,
          world.pod.channels.size,
          world.pod.pod.users.size,
          world.pod.pod.waiting.size,
        ]).toEqual([0, 0, 0, 0]);
      },
    ),
  );
}, 120_000);
