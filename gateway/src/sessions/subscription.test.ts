// Where a subscription starts, what it waits for, and how it ends; the interleavings are in the property test.
import { encodePosition, parsePosition, type DownFrame, type Subscribe } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import {
  createTestPod,
  settle,
  tokenOf,
  type FakeConnection,
  type TestPod,
  type TestPodOptions,
} from './pod.fixture.ts';
import { CUSTOMER, hello, kinds, subscribe } from './session.fixture.ts';

const MOVED = 'order.m-1.u-1.o-1.location_updated';
const OTHERS = 'order.m-9.u-9.o-9.created';

interface Bench {
  readonly log: ModelStream;
  readonly cold: ModelCold;
  readonly pod: TestPod;
  readonly connection: FakeConnection;
  /** Appends to the log; with `isRead` the pod's reader brings it too. */
  append(subject?: string, filler?: number): void;
  answer(): Promise<void>;
  read(): Promise<DownFrame[]>;
  subscribe(more: Partial<Subscribe>): Promise<DownFrame[]>;
}

/** A log of `stored` events, of which the pod's tail holds the newest `held`. */
const createBench = async (stored: number, held: number, options: Partial<TestPodOptions> = {}): Promise<Bench> => {
  const streams = new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)]));
  const log = streams.get('ORDER')!;
  const cold = new ModelCold(streams);
  const pod = createTestPod({ cold, ...options });
  for (let i = 1; i <= stored; i++) log.append(1_000 + i, MOVED);
  const sink = pod.sinkOf('ORDER');
  sink.begin({ stream: 'ORDER', epoch: log.epoch, created: '' }, stored - held + 1, 'boot');
  const deliver = ({ sequence, timeMs, subject, payload }: ModelStream['events'][number]): void =>
    sink.append(sequence, timeMs, subject, payload);
  for (const event of log.events.slice(stored - held)) deliver(event);
  const connection = pod.connect();
  const read = async (): Promise<DownFrame[]> => {
    await settle();
    pod.turn();
    await settle();
    return connection.read();
  };
  connection.write({ kind: 'hello', version: 1, token: tokenOf(CUSTOMER) });
  await read();
  return {
    log,
    cold,
    pod,
    connection,
    read,
    append: (subject = MOVED, filler = 0) => {
      log.append(1_001 + log.last, subject, { filler });
      deliver(log.events.at(-1)!);
    },
    answer: async () => {
      for (let i = 0; i < 20; i++) {
        for (const asked of cold.asked.splice(0)) asked.answer();
        await settle();
        pod.turn();
      }
    },
    subscribe: (more) => {
      connection.write(subscribe(1, 'order:o-1', more));
      return read();
    },
  };
};

const sequencesOf = (frames: readonly DownFrame[]): number[] =>
  frames.flatMap((frame) => (frame.kind === 'event' ? [frame.sequence] : []));

const KEY = 'YZlrXizK';
const at = (sequence: number, timeMs = sequence === 0 ? 0 : 1_000 + sequence, epoch = 'ORDER-1'): string =>
  encodePosition({
    key: KEY,
    entries: [
      { epoch, sequence, timeMs },
      { epoch: 'PAYMENT-1', sequence: 0, timeMs: 0 },
    ],
  });

describe('first events', () => {
  test.each([1, 3, 6, 10, 50])('the last %i are exactly so many, whether the tail holds them or not', async (last) => {
    for (const held of [0, 2, 4, 10]) {
      const bench = await createBench(10, held);
      const begun = await bench.subscribe({ first: { last } });
      await bench.answer();
      const frames = [...begun, ...(await bench.read())];

      const expected = Array.from({ length: Math.min(last, 10) }, (_, i) => 10 - Math.min(last, 10) + 1 + i);
      expect([held, sequencesOf(frames)]).toEqual([held, expected]);
      expect(kinds(frames).filter((kind) => kind !== 'event')).toEqual(['subscribed', 'live']);
    }
  });

  test('of a time are those stored since', async () => {
    const bench = await createBench(10, 4);
    await bench.subscribe({ first: { sinceMs: 6 } });
    await bench.answer();

    expect(sequencesOf(await bench.read())).toEqual([4, 5, 6, 7, 8, 9, 10]);
  });

  test.each([{ first: 'all' as const }, { first: { sinceMs: 1_000_000 } }])(
    'begin where retention moves on with every read (%j)',
    async ({ first }) => {
      const bench = await createBench(400, 4);
      const frames = await bench.subscribe({ first });
      for (let i = 0; i < 60; i++) {
        bench.log.truncate(bench.log.first + 1);
        for (const asked of bench.cold.asked.splice(0)) asked.answer();
        frames.push(...(await bench.read()));
      }

      expect(kinds(frames).filter((kind) => kind === 'reset')).toEqual([]);
      expect(sequencesOf(frames).length).toBeGreaterThan(100);
    },
  );

  test('all are all that is retained', async () => {
    const bench = await createBench(10, 4);
    bench.log.truncate(3);
    await bench.subscribe({ first: 'all' });
    await bench.answer();

    expect(sequencesOf(await bench.read())).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('positions', () => {
  const resetOf = (frames: readonly DownFrame[]): string | undefined => {
    const reset = frames.find((frame) => frame.kind === 'reset');
    return reset?.kind === 'reset' ? reset.reason : undefined;
  };

  test.each<[string, string, string | undefined, number[]]>([
    ['in the tail', at(8), undefined, [9, 10]],
    ['at the head', at(10), undefined, []],
    ['before the tail', at(3), undefined, [4, 5, 6, 7, 8, 9, 10]],
    ['right before the tail', at(6), undefined, [7, 8, 9, 10]],
    ['in the tail, of another time', at(8, 7), 'rolled_back', []],
    ['before the tail, of another time', at(3, 7), 'rolled_back', []],
    ['of another stream', at(8, 1_008, 'ORDER-0'), 'new_stream', []],
    ['under other filters', `other~ORDER-1.8.1`, 'filters_changed', []],
  ])('%s', async (_, position, reason, expected) => {
    const bench = await createBench(10, 4);
    const begun = await bench.subscribe({ position, first: 'none' });
    await bench.answer();
    const frames = [...begun, ...(await bench.read())];

    expect([resetOf(frames), sequencesOf(frames)]).toEqual([reason, expected]);
    expect(frames.find(({ kind }) => kind === 'subscribed')).toMatchObject({ recovered: reason === undefined });
    expect(kinds(frames).at(-1)).toBe('live');
  });

  test('whose event is gone is good as long as its neighbours agree', async () => {
    for (const [timeMs, reason] of [
      [1_003, undefined],
      [1_001, 'rolled_back'],
      [1_005, 'rolled_back'],
    ] as const) {
      const bench = await createBench(10, 4);
      bench.log.events.splice(2, 1);
      const begun = await bench.subscribe({ position: at(3, timeMs), first: 'none' });
      await bench.answer();

      expect([timeMs, resetOf([...begun, ...(await bench.read())])]).toEqual([timeMs, reason]);
    }
  });

  test('whose successors are gone is truncated, and says from where', async () => {
    const bench = await createBench(10, 4);
    bench.log.truncate(5);
    const begun = await bench.subscribe({ position: at(3, 1_003), first: 'all' });
    await bench.answer();
    const frames = [...begun, ...(await bench.read())];

    expect(frames.find(({ kind }) => kind === 'reset')).toMatchObject({ reason: 'truncated', from: 5 });
    expect(sequencesOf(frames)).toEqual([5, 6, 7, 8, 9, 10]);
  });

  test('beyond the head of the pod waits for it', async () => {
    const bench = await createBench(3, 3);
    expect(await bench.subscribe({ position: at(5) })).toEqual([]);
    for (let i = 0; i < 3; i++) bench.append();
    bench.pod.sessions.sweep(bench.pod.clock.now());
    const frames = await bench.read();

    expect(kinds(frames)).toEqual(['subscribed', 'event', 'live']);
    expect(sequencesOf(frames)).toEqual([6]);
  });

  test('beyond the head for too long is answered by a retry', async () => {
    const bench = await createBench(3, 3);
    await bench.subscribe({ position: at(5) });
    for (let i = 0; i < 21; i++) {
      bench.pod.clock.advance(500);
      bench.pod.sessions.sweep(bench.pod.clock.now());
    }

    expect(await bench.read()).toMatchObject([{ kind: 'error', code: 'behind', id: 1, retryAfterMs: 1_000 }]);
    expect([bench.pod.pod.waiting.size, bench.pod.channels.size]).toEqual([0, 0]);
  });

  test('beyond the end, as the leader says twice, is reset', async () => {
    let readMs = 0;
    const bench = await createBench(3, 3, { leaderOf: () => ({ lastSequence: 3, readMs }) });
    await bench.subscribe({ position: at(5), first: 'none' });
    const frames: DownFrame[] = [];
    for (let i = 0; i < 6; i++) {
      readMs = bench.pod.clock.now();
      bench.pod.sessions.sweep(bench.pod.clock.now());
      frames.push(...(await bench.read()));
      if (i < 4) expect(frames).toEqual([]);
      bench.pod.clock.advance(500);
    }

    expect(frames).toMatchObject([
      { kind: 'subscribed', recovered: false },
      { kind: 'reset', reason: 'ahead' },
      { kind: 'live' },
    ]);
    const live = frames.at(-1)!;
    expect(live.kind === 'live' && parsePosition(live.position)).toMatchObject({
      value: { entries: [{ sequence: 3 }, { sequence: 0 }] },
    });
  });
});

describe('cold reads', () => {
  test('that fail end the subscription with a code, and the fault is told', async () => {
    const bench = await createBench(10, 4);
    await bench.subscribe({ position: at(6) });
    bench.pod.clock.advance(1);
    const other = await createBench(10, 4);
    await other.subscribe({ position: at(5) });
    other.cold.asked.splice(0)[0]!.answer();
    await other.read();
    other.cold.asked.splice(0)[0]!.fault(new Error('broken'));
    await settle();

    expect(other.connection.read()).toMatchObject([{ kind: 'unsubscribed', code: 'internal' }]);
    expect(other.pod.faults.length).toBe(1);
    expect(other.pod.channels.size).toBe(0);
  });

  test('that say "later" are not asked again before, whatever happens on the connection', async () => {
    const bench = await createBench(10, 4);
    await bench.subscribe({ position: at(3) });
    bench.cold.asked.splice(0)[0]!.answer();
    await bench.read();
    bench.cold.asked.splice(0)[0]!.refuse({ kind: 'retry', afterMs: 300, code: 'overloaded' });
    await settle();
    for (let i = 0; i < 5; i++) {
      bench.connection.write({ kind: 'pong' });
      await bench.read();
      bench.pod.clock.advance(50);
    }
    expect(bench.cold.asked.length).toBe(0);

    bench.pod.clock.advance(50);
    await bench.answer();

    expect(sequencesOf(await bench.read())).toEqual([4, 5, 6, 7, 8, 9, 10]);
  });

  test('that say "later" for too long end the subscription with a retry', async () => {
    const bench = await createBench(10, 4);
    await bench.subscribe({ position: at(3) });
    bench.cold.asked.splice(0)[0]!.answer();
    const frames = await bench.read();
    for (let i = 0; i < 30; i++) {
      bench.cold.asked.splice(0)[0]?.refuse({ kind: 'retry', afterMs: 500, code: 'nats_unavailable' });
      frames.push(...(await bench.read()));
      bench.pod.clock.advance(500);
    }

    expect(frames).toMatchObject([{ kind: 'subscribed' }, { kind: 'unsubscribed', code: 'unavailable' }]);
    expect(bench.pod.faults).toEqual([]);
  });

  // Time in which it could not even ask, for want of room in its own socket, counted as if NATS were away.
  test('that say "later" twice, and a slow socket between them, do not', async () => {
    const bench = await createBench(10, 4, { limits: { socketBudgetBytes: 2_000 } });
    await bench.subscribe({ position: at(3) });
    bench.cold.asked.splice(0)[0]!.answer();
    await bench.read();
    bench.cold.asked.splice(0)[0]!.refuse({ kind: 'retry', afterMs: 300, code: 'nats_unavailable' });
    await settle();
    bench.connection.stall();
    for (let i = 0; i < 30; i++) bench.connection.write({ kind: 'unsubscribe', id: i + 10, channel: 'order:none' });
    bench.pod.clock.advance(30_000);
    bench.pod.turn();
    expect(bench.cold.asked.length).toBe(0);
    await bench.read();
    await bench.read();
    bench.cold.asked.splice(0)[0]!.refuse({ kind: 'retry', afterMs: 300, code: 'nats_unavailable' });
    const frames = await bench.read();
    bench.pod.clock.advance(300);
    await bench.answer();
    frames.push(...(await bench.read()));

    expect(kinds(frames).filter((kind) => kind !== 'event')).toEqual(['live']);
    expect(sequencesOf(frames)).toEqual([4, 5, 6, 7, 8, 9, 10]);
  });

  test('of before a reset that end late do not let two reads of one cursor through', async () => {
    const bench = await createBench(10, 4);
    await bench.subscribe({ position: at(3), first: 'all' });
    bench.cold.asked.splice(0)[0]!.answer();
    await bench.read();
    const [late] = bench.cold.asked.splice(0);
    bench.connection.write({ kind: 'auth', id: 2, token: tokenOf({ ...CUSTOMER, role: 'admin' }) });
    await bench.read();
    // Where everything begins; then the first page is queued behind the read that is late.
    for (const asked of bench.cold.asked.splice(0)) asked.answer();
    await bench.read();
    late!.answer();
    for (let i = 0; i < 3; i++) await bench.read();
    await bench.answer();
    const before = bench.pod.pod.counters.coldReads;
    const frames = await bench.read();

    expect(sequencesOf(frames)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(before).toBe(1 + 2);
  });

  // They waited in one line with everybody else's: who opened a thousand channels had the others refused.
  test('with which a user opens very many channels come a few at a time', async () => {
    const bench = await createBench(0, 0, { limits: { maxSubscriptions: 100 } });
    const channels = Array.from({ length: 60 }, (_, i) => `order:o-${i}`);
    bench.connection.write(...channels.map((each, i) => subscribe(i + 1, each, { first: 'states' })));
    await settle();
    const asked = bench.cold.asked.length;
    const other = bench.pod.connect();
    other.write(hello(tokenOf({ ...CUSTOMER, subject: 'u-2' })), subscribe(1, 'order:o-1', { first: 'states' }));
    await settle();

    expect(asked).toBe(16);
    expect(bench.cold.asked.length).toBe(asked + 2);
    await bench.answer();
    expect(kinds(await bench.read()).filter((kind) => kind === 'live').length).toBe(channels.length);
    expect(kinds(other.read())).toEqual(['welcome', 'subscribed', 'live']);
  });

  // While one stream had no leader, all others were asked for the same again and again.
  test('that were answered while another stream could not are not made again', async () => {
    const bench = await createBench(10, 4);
    bench.connection.write(subscribe(1, 'order:o-1', { first: 'states' }));
    await settle();
    const made = bench.cold.asked.length;
    bench.cold.asked.splice(0, 1)[0]!.answer();
    for (let i = 0; i < 5; i++) {
      const asked = bench.cold.asked.splice(0);
      expect(asked.length).toBe(1);
      asked[0]!.refuse({ kind: 'retry', afterMs: 500, code: 'nats_unavailable' });
      await bench.read();
      bench.pod.clock.advance(500);
      await settle();
    }
    await bench.answer();

    expect(made).toBe(2);
    expect(kinds(await bench.read()).filter((kind) => kind !== 'event')).toEqual(['subscribed', 'live']);
  });

  test('that nobody waits for any more are not made', async () => {
    const bench = await createBench(0, 0, { limits: { maxSubscriptions: 100 } });
    const channels = Array.from({ length: 60 }, (_, i) => `order:o-${i}`);
    bench.connection.write(...channels.map((each, i) => subscribe(i + 1, each, { first: 'states' })));
    await settle();
    bench.connection.write(...channels.map((channel, i) => ({ kind: 'unsubscribe' as const, id: 100 + i, channel })));
    for (const asked of bench.cold.asked.splice(0)) asked.answer();
    await bench.read();

    expect(bench.cold.asked.length).toBe(0);
  });

  test('of a connection come one at a time', async () => {
    const bench = await createBench(10, 4);
    bench.connection.write(subscribe(1, 'order:o-1', { first: 'all' }), subscribe(2, 'user:u-1', { first: 'all' }));
    await bench.read();
    for (const asked of bench.cold.asked.splice(0)) asked.answer();
    await settle();
    bench.pod.turn();
    await settle();

    expect(bench.cold.asked.length).toBe(1);
    await bench.answer();
    expect(bench.pod.pod.pump.length).toBe(0);
  });
});

describe('slow sockets', () => {
  test('one that is behind on several channels gets to the head of all of them', async () => {
    const bench = await createBench(0, 0, { limits: { socketBudgetBytes: 2_000 } });
    bench.connection.write(subscribe(1, 'order:o-1'), subscribe(2, 'user:u-1'));
    await bench.read();
    bench.connection.stall();
    const frames: DownFrame[] = [];
    for (let i = 0; i < 5; i++) {
      bench.append('order.m-1.u-1.o-1.status_changed', 20_000);
      bench.pod.turn();
      bench.pod.clock.advance(10);
    }
    expect(bench.pod.pod.counters.fellBehind).toBe(2);
    for (let i = 0; i < 10; i++) {
      frames.push(...bench.connection.read());
      bench.pod.turn();
    }

    expect(sequencesOf(frames).sort()).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  });

  test('one that reads nothing is closed once replies alone fill it', async () => {
    const bench = await createBench(0, 0, { limits: { socketBudgetBytes: 2_000 } });
    bench.connection.stall();
    for (let i = 0; i < 200 && !bench.connection.closed; i++)
      bench.connection.write({ kind: 'unsubscribe', id: i, channel: 'order:none' });

    expect(bench.connection.closed?.reason).toBe('overloaded');
    expect(bench.connection.bufferedBytes()).toBe(0);
  });

  // It was sent no ping while it had something else to read, so it said nothing, and was taken for dead after a minute.
  test('one that takes minutes for what it missed is not taken for dead; one that stops reading is', async () => {
    const bench = await createBench(0, 0, { limits: { socketBudgetBytes: 64 * 1024 } });
    for (let i = 0; i < 60; i++) bench.append(MOVED, 20_000);
    bench.connection.stall();
    bench.connection.write(subscribe(1, 'order:o-1', { position: at(0) }));
    const pass = (seconds: number, bytesPerSecond: number): void => {
      for (let i = 0; i < seconds; i++) {
        bench.pod.clock.advance(1_000);
        bench.pod.sessions.sweep(bench.pod.clock.now());
        bench.pod.turn();
        if (bytesPerSecond > 0) bench.connection.read(bytesPerSecond);
      }
    };
    pass(180, 5_000);
    expect(bench.connection.closed).toBeUndefined();
    expect(bench.connection.bufferedBytes()).toBeGreaterThan(0);

    pass(60, 0);
    expect(bench.connection.closed?.reason).toBe('pong_timeout');
  });

  // What is read of the log leaves in chunks that no budget knows of, and counted as if it were replies.
  test.each([
    { budget: 16 * 1024, stored: 2_000, filler: 150 },
    { budget: 256 * 1024, stored: 4, filler: 1_000_000 },
  ])('one that reads slowly is not closed for what it catches up on (%j)', async ({ budget, stored, filler }) => {
    const bench = await createBench(0, 0, { limits: { socketBudgetBytes: budget } });
    for (let i = 0; i < stored; i++) bench.append(MOVED, filler);
    bench.connection.stall();
    bench.connection.write(subscribe(1, 'order:o-1', { position: at(0) }));
    const sequences: number[] = [];
    for (let i = 0; i < 10_000 && sequences.length < stored && !bench.connection.closed; i++) {
      bench.pod.turn();
      sequences.push(...sequencesOf(bench.connection.read(5_000)));
    }

    expect(bench.connection.closed).toBeUndefined();
    expect(sequences).toEqual(Array.from({ length: stored }, (_, i) => i + 1));
  });

  test('one that was sent a large event is not closed for it', async () => {
    const bench = await createBench(0, 0, { limits: { socketBudgetBytes: 16 * 1024 } });
    await bench.subscribe({ first: 'none' });
    bench.connection.stall();
    bench.append(MOVED, 200_000);
    bench.pod.turn();
    bench.connection.write({ kind: 'pong' });

    expect(bench.connection.closed).toBeUndefined();
    for (let i = 0; i < 500 && !bench.connection.closed; i++)
      bench.connection.write({ kind: 'unsubscribe', id: i, channel: 'order:none' });
    expect(bench.connection.closed).toBeUndefined();
    for (let i = 0; i < 1_000 && !bench.connection.closed; i++)
      bench.connection.write({ kind: 'unsubscribe', id: i, channel: 'order:none' });
    expect(bench.connection.closed?.reason).toBe('overloaded');
  });

  // Its bytes were taken off twice: each such socket left its user room for as much more than the limit.
  test('one that is closed leaves its user with what the others hold', async () => {
    const bench = await createBench(0, 0, { limits: { socketBudgetBytes: 2_000 } });
    const [session] = bench.pod.sessions;
    const user = session!.user!;
    await bench.subscribe({ first: 'none' });
    bench.connection.stall();
    for (let i = 0; i < 200 && !bench.connection.closed; i++)
      bench.connection.write({ kind: 'unsubscribe', id: i, channel: 'order:none' });

    expect(bench.connection.closed?.reason).toBe('overloaded');
    expect(user.queuedBytes).toBe(0);
  });

  test('heads tell nothing of a stream that a subscription has yet to get to', async () => {
    const bench = await createBench(10, 4, { limits: { pingIntervalMs: 1_000 } });
    await bench.subscribe({ position: at(3) });
    for (const asked of bench.cold.asked.splice(0)) asked.answer();
    await bench.read();
    bench.append(OTHERS);
    bench.pod.clock.advance(1_000);
    bench.pod.sessions.sweep(bench.pod.clock.now());
    const behind = bench.connection.read().find(({ kind }) => kind === 'ping');
    await bench.answer();
    bench.connection.read();
    bench.pod.clock.advance(1_000);
    bench.pod.sessions.sweep(bench.pod.clock.now());
    const live = bench.connection.read().find(({ kind }) => kind === 'ping');

    // 3 is what the client itself has; only what an event vouches for is told.
    expect(behind).toEqual({ kind: 'ping', heads: [] });
    expect(live).toEqual({ kind: 'ping', heads: [['ORDER-1', 11, 1_011]] });
  });
});
