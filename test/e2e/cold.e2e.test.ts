// Cold reads against real servers: what is returned is compared with the stream itself, and what cannot be proven is not
// claimed.
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { headers } from '@nats-io/transport-node';
import { systemClock } from '@sluice/gateway/clock';
import { type Cold, type StoredEvent, type TailView, createCold } from '@sluice/gateway/log/cold';
import { type Nats, connectToNats } from '@sluice/gateway/log/nats';
import { describe, expect, test } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { oldNatsServerBinary } from '../kit/nats-binary.ts';
import { type NatsServer, startNatsServer } from '../kit/nats-server.ts';
import { createStream } from '../kit/order-events.ts';

const STREAM = 'ORDER';
const MIB = 1024 * 1024;

interface Harness extends AsyncDisposable {
  server: NatsServer;
  connection: NatsConnection;
  manager: JetStreamManager;
  nats: Nats;
  cold: Cold;
}

async function start(binary?: string): Promise<Harness> {
  const server = await startNatsServer(binary === undefined ? {} : { binary });
  const connection = await server.connect();
  await createStream(connection, STREAM, ['order.>']);
  const nats = await connectToNats({
    servers: [server.url],
    name: 'cold test',
    clock: systemClock,
    connectTimeoutMs: 10_000,
  });
  const cold = createCold({ nats, clock: systemClock, readsPerStream: 4, maxBytes: 16 * MIB });
  return {
    server,
    connection,
    manager: await jetstreamManager(connection),
    nats,
    cold,
    async [Symbol.asyncDispose]() {
      cold.close();
      await nats.close();
      await connection.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** `order.m-1.u-<user>.o-<order>.<type>`, in turn over 5 users, 10 orders and 2 types. */
const subjectOf = (index: number): string =>
  `order.m-1.u-${index % 5}.o-${index % 10}.${index % 3 === 0 ? 'created' : 'status_changed'}`;

async function publish(connection: NatsConnection, count: number): Promise<void> {
  const client = jetstream(connection);
  for (let from = 0; from < count; from += 500) {
    const batch = Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index);
    await Promise.all(batch.map((index) => client.publish(subjectOf(index), `event ${index}`)));
  }
}

/** A tail that holds the stream from a sequence on, as its leader would tell. */
async function tailFrom(manager: JetStreamManager, firstSequence: number): Promise<TailView> {
  const { state } = await manager.streams.info(STREAM);
  const held: { sequence: number; timeMs: number; subject: string }[] = [];
  for (let sequence = firstSequence; sequence <= state.last_seq; sequence += 1) {
    const message = await manager.streams.getMessage(STREAM, { seq: sequence }).catch(() => null);
    if (message) held.push({ sequence, timeMs: Math.floor(message.time.getTime()), subject: message.subject });
  }
  return {
    firstSequence,
    head: state.last_seq,
    firstMatch: (filters, after) =>
      held.find((event) => event.sequence > after && filters.some((filter) => matches(filter, event.subject))),
  };
}

const matches = (filter: string, subject: string): boolean => {
  const wanted = filter.split('.');
  const tokens = subject.split('.');
  return wanted.every((token, at) => token === '>' || token === '*' || token === tokens[at]);
};

/** Pages until the tail is reached. */
async function readAll(
  cold: Cold,
  filters: readonly string[],
  tail: TailView,
  options: { after?: number; maxEvents?: number; maxBytes?: number } = {},
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let after = options.after ?? 0;
  while (after < tail.firstSequence - 1) {
    const page = await cold.read({
      stream: STREAM,
      filters,
      after,
      tail,
      maxEvents: options.maxEvents ?? 256,
      maxBytes: options.maxBytes ?? MIB,
    });
    if (page.kind !== 'page') throw new Error(`not a page: ${JSON.stringify(page)}`);
    expect(page.through).toBeGreaterThan(after);
    events.push(...page.events);
    after = page.through;
  }
  return events;
}

const sequencesFor = (filters: readonly string[], from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index).filter((sequence) =>
    filters.some((filter) => matches(filter, subjectOf(sequence - 1))),
  );

const below = (events: readonly StoredEvent[], end: number): number[] =>
  events.map((event) => event.sequence).filter((sequence) => sequence < end);

describe.each([
  ['2.15', undefined],
  ['2.9 (single gets)', oldNatsServerBinary],
])('nats-server %s', (_, binary) => {
  test.each([
    ['one literal filter', ['order.m-1.u-3.o-3.status_changed'], 256, MIB],
    ['one wildcard filter', ['order.*.u-2.>'], 256, MIB],
    ['small pages', ['order.*.u-2.>'], 7, MIB],
    ['pages small in bytes', ['order.*.u-2.>'], 256, 40],
    ['overlapping filters', ['order.*.u-2.>', 'order.*.*.o-7.*', 'order.*.*.*.created'], 16, MIB],
    ['a filter that matches nothing', ['order.m-9.>'], 256, MIB],
    ['a filter that matches and one that does not', ['order.m-9.>', 'order.*.*.o-7.*'], 256, MIB],
    ['everything', ['>'], 256, MIB],
  ])('reads up to the tail: %s', async (_name, filters, maxEvents, maxBytes) => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 300);
    const tail = await tailFrom(harness.manager, 280);

    const events = await readAll(harness.cold, filters, tail, { maxEvents, maxBytes });

    expect(below(events, 280)).toEqual(sequencesFor(filters, 1, 279));
    for (const event of events) {
      expect(event.subject).toBe(subjectOf(event.sequence - 1));
      expect(Buffer.from(event.payload).toString()).toBe(`event ${event.sequence - 1}`);
    }
    const stored = await harness.manager.streams.getMessage(STREAM, { seq: events[0]?.sequence ?? 1 });
    if (events[0]) expect(events[0].timeMs).toBe(stored!.time.getTime());
  });

  test('goes on in the middle, over holes, and leaves delete markers out', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 100);
    const marker = headers();
    marker.append('Nats-Marker-Reason', 'MaxAge');
    await jetstream(harness.connection).publish('order.m-1.u-2.o-2.created', '', { headers: marker });
    await publish(harness.connection, 50);
    for (const sequence of [43, 48, 53]) await harness.manager.streams.deleteMessage(STREAM, sequence);
    const tail = await tailFrom(harness.manager, 120);

    const events = await readAll(harness.cold, ['order.*.u-2.>'], tail, { after: 40 });

    const expected = sequencesFor(['order.*.u-2.>'], 41, 100).filter((sequence) => ![43, 48, 53].includes(sequence));
    expect(below(events, 101)).toEqual(expected);
    expect(events.some((event) => event.sequence === 101)).toBe(false);
  });

  test('says truncated if retention passed the cursor', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 100);
    const tail = await tailFrom(harness.manager, 90);
    await harness.manager.streams.purge(STREAM, { seq: 31 });

    const request = { stream: STREAM, filters: ['order.>'], tail, maxEvents: 256, maxBytes: MIB };

    const truncated = await harness.cold.read({ ...request, after: 29 });
    expect(truncated).toMatchObject({ kind: 'truncated', firstSequence: 31 });
    expect(truncated.kind === 'truncated' && truncated.page.events[0]?.sequence).toBe(31);
    expect(await harness.cold.read({ ...request, after: 30 })).toMatchObject({ kind: 'page' });
  });

  test('takes the newest state of each subject, oldest first', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 100);
    const tail = await tailFrom(harness.manager, 90);
    const newest = new Map(Array.from({ length: 100 }, (_, index) => [subjectOf(index), index + 1]));
    const wanted = [...newest]
      .filter(([subject]) => subject.endsWith('.status_changed'))
      .map(([, sequence]) => sequence);
    const request = { stream: STREAM, filters: ['order.*.*.*.status_changed'], tail };

    const all = await harness.cold.states({ ...request, maxStates: 200 });
    const some = await harness.cold.states({ ...request, maxStates: 4 });
    const none = await harness.cold.states({ ...request, filters: ['order.m-9.>'], maxStates: 200 });

    const sorted = wanted.toSorted((a, b) => a - b);
    if (all.kind !== 'states' || some.kind !== 'states') throw new Error(`${all.kind} ${some.kind}`);
    expect(all.events.map((event) => event.sequence)).toEqual(sorted);
    expect(all.through).toBe(100);
    expect(some.events.map((event) => event.sequence)).toEqual(sorted.slice(-4));
    expect(none).toEqual({ kind: 'states', events: [], through: 100 });
  });

  test('refuses a snapshot of more than 1,024 subjects', async () => {
    await using harness = await start(await binary?.());
    const client = jetstream(harness.connection);
    const subjects = Array.from({ length: 1_025 }, (_, index) => `order.m-1.u-1.o-${index}.created`);
    await Promise.all(subjects.map((subject) => client.publish(subject, 'x')));
    const tail = await tailFrom(harness.manager, 1_020);

    const result = await harness.cold.states({ stream: STREAM, filters: ['order.>'], tail, maxStates: 200 });

    expect(result).toEqual({ kind: 'too_large' });
  });

  test('starts the last N just early enough', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 2_000);
    const tail = await tailFrom(harness.manager, 1_990);
    for (const count of [1, 50, 300]) {
      const cursor = await harness.cold.lastN(STREAM, ['order.*.u-2.>'], count, tail);

      if (cursor.kind !== 'cursor') throw new Error(cursor.kind);
      const found = sequencesFor(['order.*.u-2.>'], cursor.after + 1, 2_000).length;
      expect(found).toBeGreaterThanOrEqual(count);
      expect(found).toBeLessThanOrEqual(count + 256);
    }
    expect(await harness.cold.lastN(STREAM, ['order.*.u-2.>'], 10_000, tail)).toEqual({ kind: 'cursor', after: 0 });
  });

  test('finds an event and the neighbours of one that is gone', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 60);
    for (const sequence of [20, 21, 22]) await harness.manager.streams.deleteMessage(STREAM, sequence);
    const timeOf = async (sequence: number): Promise<number> =>
      (await harness.manager.streams.getMessage(STREAM, { seq: sequence }))!.time.getTime();

    expect(await harness.cold.event(STREAM, 19)).toEqual({
      kind: 'event',
      event: { sequence: 19, timeMs: await timeOf(19) },
    });
    expect(await harness.cold.event(STREAM, 21)).toEqual({ kind: 'event', event: undefined });
    expect(await harness.cold.neighbours(STREAM, 21)).toEqual({
      kind: 'neighbours',
      below: { sequence: 19, timeMs: await timeOf(19) },
      above: { sequence: 23, timeMs: await timeOf(23) },
    });
    expect(await harness.cold.neighbours(STREAM, 1)).toMatchObject({ below: undefined, above: { sequence: 2 } });
    expect(await harness.cold.neighbours(STREAM, 60)).toMatchObject({ below: { sequence: 59 }, above: undefined });
  });

  test('finds the start of the last minutes by the clock of the server', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 30);
    const last = await harness.manager.streams.getMessage(STREAM, { seq: 30 });
    await eventually(() => Date.now() > last!.time.getTime() + 300);
    await publish(harness.connection, 10);
    const first = await harness.manager.streams.getMessage(STREAM, { seq: 31 });

    const halfway = await harness.cold.since(STREAM, Date.now() - first!.time.getTime() + 100);
    const everything = await harness.cold.since(STREAM, 3_600_000);
    const nothing = await harness.cold.since(STREAM, 0);

    expect(halfway).toEqual({ kind: 'cursor', after: 30 });
    expect(everything).toEqual({ kind: 'cursor', after: 0 });
    expect(nothing).toEqual({ kind: 'cursor', after: 40 });
  });

  test('reports the leader', async () => {
    await using harness = await start(await binary?.());
    await publish(harness.connection, 5);
    await harness.manager.streams.purge(STREAM, { seq: 3 });
    const { created } = await harness.manager.streams.info(STREAM);

    expect(await harness.cold.leader(STREAM)).toMatchObject({
      kind: 'leader',
      firstSequence: 3,
      lastSequence: 5,
      hasLeader: true,
    });
    expect(created).not.toBe('');
    expect(await harness.cold.leader('NOBODY')).toMatchObject({ kind: 'retry', code: 'nats_unavailable' });
  });
});

describe('nats-server 2.15 only', () => {
  test('shares one pass over the span among many readers, each from its own cursor', async () => {
    await using harness = await start();
    await publish(harness.connection, 10_000);
    const tail = await tailFrom(harness.manager, 9_990);
    const filtersOf = (subject: string, into: string[]): number => {
      const [root = '', merchant = '', user = '', order = ''] = subject.split('.');
      into[0] = `${root}.*.${user}.*.*`;
      into[1] = `${root}.${merchant}.*.${order}.*`;
      return 2;
    };
    const cold = createCold({
      nats: harness.nats,
      clock: systemClock,
      readsPerStream: 1,
      maxBytes: MIB,
      filtersOf,
    });

    const results = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const after = index * 137;
        const filters = [`order.*.u-${index % 5}.*.*`, `order.m-1.*.o-${index % 10}.*`].slice(index % 2);
        return { after, filters, events: await readAll(cold, filters, tail, { after, maxEvents: 200 }) };
      }),
    );

    cold.close();
    for (const { after, filters, events } of results) {
      expect(below(events, 9_990)).toEqual(sequencesFor(filters, after + 1, 9_989));
      for (const event of events) expect(Buffer.from(event.payload).toString()).toBe(`event ${event.sequence - 1}`);
    }
  });

  test('looks up the subjects of a sparse wildcard over a long span', async () => {
    await using harness = await start();
    const client = jetstream(harness.connection);
    const total = 24_000;
    for (let from = 0; from < total; from += 1_000) {
      await Promise.all(
        Array.from({ length: 1_000 }, (_, index) => {
          const number = from + index;
          const isMine = number % 2_000 === 77;
          return client.publish(isMine ? `order.m-1.u-1.o-mine.t${number % 3}` : `order.m-1.u-1.o-${number}.t`, 'x');
        }),
      );
    }
    const stored: number[] = [];
    for await (const sequence of mineOf(harness.manager, total)) stored.push(sequence);
    const tail = await tailFrom(harness.manager, total - 10);

    const events = await readAll(harness.cold, ['order.*.*.o-mine.*'], tail);
    const few = await readAll(harness.cold, ['order.*.*.o-mine.*'], tail, { maxEvents: 5 });
    const idle = await readAll(harness.cold, ['order.*.*.o-5.*'], tail, { after: 1_500 });

    expect(events.map((event) => event.sequence)).toEqual(stored);
    expect(few.map((event) => event.sequence)).toEqual(stored);
    expect(idle).toEqual([]);
  });

  test('reads the headers of the server, not of producers', async () => {
    await using harness = await start();
    const forged = headers();
    forged.append('Nats-Sequence', '999999');
    forged.append('Nats-Subject', 'order.m-1.u-2.o-2.forged');
    forged.append('Nats-Time-Stamp', '2001-01-01T00:00:00Z');
    forged.append('Nats-Num-Pending', '0');
    forged.append('Nats-Last-Sequence', '12345');
    const client = jetstream(harness.connection);
    for (const payload of ['a', '', 'c'])
      await client.publish('order.m-1.u-1.o-1.created', payload, { headers: forged });
    await publish(harness.connection, 10);
    const tail = await tailFrom(harness.manager, 8);

    const events = await readAll(harness.cold, ['order.m-1.u-1.>'], tail);

    expect(events.slice(0, 3)).toMatchObject([
      { sequence: 1, subject: 'order.m-1.u-1.o-1.created' },
      { sequence: 2, subject: 'order.m-1.u-1.o-1.created', isMarker: false },
      { sequence: 3, subject: 'order.m-1.u-1.o-1.created' },
    ]);
    expect(events[0]!.timeMs).toBeGreaterThan(Date.parse('2020-01-01'));
  });

  test('claims nothing that only the tail knows of, and goes by the leader where the tail knows nothing', async () => {
    await using harness = await start();
    await publish(harness.connection, 100);
    const tail = await tailFrom(harness.manager, 90);
    const request = { stream: STREAM, filters: ['order.*.u-2.>'], after: 50, maxEvents: 256, maxBytes: MIB };
    // As if the replica ended before our tail: an event of the same sequence with another store time.
    const match = tail.firstMatch(['order.*.u-2.>'], 89)!;
    const other: TailView = { ...tail, firstMatch: () => ({ ...match, timeMs: match.timeMs + 1 }) };

    expect(await harness.cold.read({ ...request, tail: other })).toMatchObject({
      kind: 'retry',
      code: 'stale_replica',
    });
    expect(await harness.cold.read({ ...request, tail: { ...tail, firstMatch: () => undefined } })).toMatchObject({
      kind: 'page',
    });
  });

  test('answers with a retry, not an exception, while NATS is away', async () => {
    await using harness = await start();
    await publish(harness.connection, 100);
    const tail = await tailFrom(harness.manager, 90);
    const request = { stream: STREAM, filters: ['order.>'], after: 0, tail, maxEvents: 256, maxBytes: MIB };

    await harness.server.kill();
    const away = await harness.cold.read(request);
    const snapshot = await harness.cold.states({ stream: STREAM, filters: ['order.>'], tail, maxStates: 200 });
    await harness.server.start();

    expect(away).toMatchObject({ kind: 'retry', code: 'nats_unavailable' });
    expect(snapshot).toMatchObject({ kind: 'retry', code: 'nats_unavailable' });
    await eventually(async () => (await harness.cold.read(request)).kind === 'page');
  });
});

async function* mineOf(manager: JetStreamManager, total: number): AsyncGenerator<number> {
  for (let sequence = 1; sequence <= total;) {
    const message = await manager.direct
      .getMessage(STREAM, { seq: sequence, next_by_subj: 'order.*.*.o-mine.*' })
      .catch(() => null);
    if (!message) return;
    yield message.seq;
    sequence = message.seq + 1;
  }
}
