// Pages from JetStream wait in memory until their socket takes them: how many of one connection may wait at once (I5), and
// that its channels get theirs in turn.
import { encodePosition } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { resolveChannel } from '../access/permission.ts';
import { ORDERS } from '../delivery/delivery.fixture.ts';
import type { Cold } from '../log/cold.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { createTestPod, settle, tokenOf } from './pod.fixture.ts';
import { CUSTOMER, hello, MERCHANT, subscribe } from './session.fixture.ts';

const EVENT_BYTES = 20_000;
const BUDGET_BYTES = 64 * 1024;

const positionOf = (channel: string): string => {
  const resolved = resolveChannel(ORDERS, CUSTOMER, channel);
  if (!resolved.ok) throw new Error(channel);
  const entries = ['ORDER-1', 'PAYMENT-1'].map((epoch) => ({ epoch, sequence: 0, timeMs: 0 }));
  return encodePosition({ key: resolved.value.key, entries });
};

/** A connection that asks for everything of `channels` channels, none of which the tail holds. */
const openBacklog = ({ channels, perChannel }: { channels: number; perChannel: number }) => {
  const streams = new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)]));
  const cold = new ModelCold(streams);
  /** How large the pages may be. */
  const asked: number[] = [];
  const watched: Cold = {
    ...cold,
    read: (request) => {
      asked.push(request.maxBytes);
      return cold.read(request);
    },
  };
  const pod = createTestPod({ cold: watched, limits: { socketBudgetBytes: BUDGET_BYTES } });
  for (const [name, log] of streams) {
    for (let i = 0; i < channels * perChannel; i++) {
      const subject = `${name.toLowerCase()}.m-1.u-1.o-${i % channels}.${name === 'ORDER' ? 'status_changed' : 'failed'}`;
      log.append(1_000 + i, subject, { filler: EVENT_BYTES });
    }
    pod.sinkOf(name).begin({ stream: name, epoch: log.epoch, created: '' }, log.last + 1, 'boot');
  }
  const names = Array.from({ length: channels }, (_, i) => `order:o-${i}`);
  const connection = pod.connect('msgpack', 2_000);
  connection.write(hello(), ...names.map((each, id) => subscribe(id, each, { position: positionOf(each) })));
  return {
    asked,
    /** What has come since the last call. */
    read: (bytes?: number) => connection.read(bytes),
    connection,
    /** Answers what is asked until nothing moves any more; the number of pages that were read. */
    work: async (): Promise<number> => {
      let pages = 0;
      for (let i = 0; i < 40; i++) {
        await settle();
        pages += cold.asked.length;
        for (const asked of cold.asked.splice(0)) asked.answer();
        pod.turn();
      }
      return pages;
    },
  };
};

test('a socket that does not read holds about its budget of pages, and gets all of them when it reads', async () => {
  const backlog = { channels: 12, perChannel: 6 };
  const { read, work } = openBacklog(backlog);

  const pages = await work();
  // A page has three events; both streams of a channel must have theirs before it goes on.
  const heldBytes = pages * 3 * EVENT_BYTES;
  expect(heldBytes).toBeGreaterThan(BUDGET_BYTES);
  expect(heldBytes).toBeLessThan(6 * BUDGET_BYTES);

  let events = 0;
  for (let i = 0; i < 200; i++) {
    events += read().filter(({ kind }) => kind === 'event').length;
    await work();
  }
  expect(events).toBe(2 * backlog.channels * backlog.perChannel);
});

test.for([2, 3, 5, 8])('%d channels of a slow socket get on together', async (channels) => {
  const perChannel = 40;
  const { read, work } = openBacklog({ channels, perChannel });
  const counts = new Map<string, number>();
  const refs = new Map<number, string>();
  let widestGap = 0;
  for (let i = 0; i < 400 && [...counts.values()].reduce((sum, n) => sum + n, 0) < 2 * channels * perChannel; i++) {
    await work();
    for (const frame of read()) {
      if (frame.kind === 'subscribed') {
        counts.set(frame.channel, 0);
        for (const [ref] of frame.streams) refs.set(ref, frame.channel);
      } else if (frame.kind === 'event') {
        const channel = refs.get(frame.ref)!;
        counts.set(channel, counts.get(channel)! + 1);
      }
    }
    widestGap = Math.max(widestGap, Math.max(...counts.values()) - Math.min(...counts.values()));
  }
  expect([...counts.values()]).toEqual(Array.from({ length: channels }, () => 2 * perChannel));
  // A page of either stream.
  expect(widestGap).toBeLessThanOrEqual(16);
});

// Each page was asked for as if no other were held: a channel of eight streams held eight times the budget.
test('a page is asked for no larger than the room that the pages before it have left', async () => {
  const { asked, work } = openBacklog({ channels: 2, perChannel: 40 });
  await work();

  // Three events of either stream: 60 of 64 KB are taken by the first page, and one chunk may always be asked for.
  expect(asked.slice(0, 2)).toEqual([BUDGET_BYTES, 32 * 1024]);
});

// It left as one chunk, which was more than replies may ever be: the socket was closed, and closed again when it came back.
test('a snapshot of many times the budget reaches a socket that reads slowly', async () => {
  const states = 30;
  const log = new ModelStream('ORDER');
  for (let i = 0; i < states; i++) {
    log.append(1_000 + i, `order.m-1.u-1.o-${i}.status_changed`, { filler: EVENT_BYTES });
  }
  const cold = new ModelCold(new Map([['ORDER', log]]));
  const pod = createTestPod({ cold, limits: { socketBudgetBytes: BUDGET_BYTES } });
  pod.sinkOf('ORDER').begin({ stream: 'ORDER', epoch: log.epoch, created: '' }, log.last + 1, 'boot');
  const connection = pod.connect('msgpack', 2_000);
  connection.write(hello(tokenOf(MERCHANT)), subscribe(1, 'merchant:m-1', { first: 'states' }));

  const sequences: number[] = [];
  let mostBytes = 0;
  for (let i = 0; i < 1_000 && sequences.length < states; i++) {
    await settle();
    for (const asked of cold.asked.splice(0)) asked.answer();
    await settle();
    pod.turn();
    mostBytes = Math.max(mostBytes, connection.bufferedBytes());
    for (const frame of connection.read(1_000)) if (frame.kind === 'event') sequences.push(frame.sequence);
  }

  expect(connection.closed).toBeUndefined();
  expect(sequences).toEqual(Array.from({ length: states }, (_, i) => i + 1));
  expect(mostBytes).toBeLessThan(2 * BUDGET_BYTES);
});

// Whoever had the user's only place took it again before the others looked: they got nothing until it had read everything.
test('connections of a user that read the past get their pages in turn', async () => {
  const log = new ModelStream('ORDER');
  const channels = 3;
  for (let i = 0; i < 60; i++) {
    log.append(1_000 + i, `order.m-1.u-1.o-${i % channels}.status_changed`, { filler: 100 });
  }
  const streams = new Map([log, new ModelStream('PAYMENT')].map((each) => [each.name, each]));
  const cold = new ModelCold(streams);
  const pod = createTestPod({ cold, userLimits: { coldReads: 1 } });
  for (const each of streams.values()) {
    pod.sinkOf(each.name).begin({ stream: each.name, epoch: each.epoch, created: '' }, each.last + 1, 'boot');
  }
  const connections = [1, 2, 3].map(() => pod.connect());
  for (const connection of connections) {
    const names = Array.from({ length: channels }, (_, i) => `order:o-${i}`);
    connection.write(hello(), ...names.map((each, id) => subscribe(id + 1, each, { position: positionOf(each) })));
    await settle();
  }
  const counts = connections.map(() => 0);
  let widestGap = 0;
  for (let i = 0; i < 200 && counts.some((count) => count < 60); i++) {
    for (const asked of cold.asked.splice(0)) asked.answer();
    await settle();
    pod.turn();
    await settle();
    pod.clock.advance(20);
    await settle();
    for (const [at, connection] of connections.entries()) {
      counts[at]! += connection.read().filter(({ kind }) => kind === 'event').length;
    }
    widestGap = Math.max(widestGap, Math.max(...counts) - Math.min(...counts));
  }

  expect(counts).toEqual([60, 60, 60]);
  expect(widestGap).toBeLessThanOrEqual(2 * cold.pageEvents);
});

// Each opening brought its snapshot or its last events along, whatever the others held: half a gigabyte for one user.
test.each(['states' as const, { last: 60 }, 'all' as const])(
  'who opens many channels and does not read holds about its budget of first events (%j)',
  async (first) => {
    const channels = 40;
    const perChannel = 60;
    const log = new ModelStream('ORDER');
    for (let i = 0; i < channels * perChannel; i++) {
      // Another order each, so that each is a state.
      log.append(1_000 + i, `order.m-${i % channels}.u-${i}.o-${i}.status_changed`, { filler: 1_000 });
    }
    const cold = new ModelCold(new Map([['ORDER', log]]));
    cold.pageEvents = 100;
    const limits = { socketBudgetBytes: BUDGET_BYTES, maxSubscriptions: channels };
    const pod = createTestPod({ cold, limits, userLimits: { coldReads: 2 } });
    pod.sinkOf('ORDER').begin({ stream: 'ORDER', epoch: log.epoch, created: '' }, log.last + 1, 'boot');
    const merchants = Array.from({ length: channels }, (_, i) => `m-${i}`);
    const connection = pod.connect('msgpack', 2_000);
    connection.write(
      hello(tokenOf({ ...MERCHANT, claims: { merchantId: merchants } })),
      ...merchants.map((each, i) => subscribe(i + 1, `merchant:${each}`, { first })),
    );
    const [session] = pod.sessions;
    const work = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await settle();
        for (const asked of cold.asked.splice(0)) asked.answer();
        pod.turn();
      }
    };
    await work();
    const held = session!.subscriptions.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    // Sixteen questions may be under way when the room is gone, and each is followed by one before its answer counts.
    expect(held).toBeLessThan(BUDGET_BYTES + 2 * 16 * perChannel * 1_100);

    let events = 0;
    for (let i = 0; i < 400 && events < channels * perChannel; i++) {
      events += connection.read().filter(({ kind }) => kind === 'event').length;
      connection.stall();
      await work();
    }
    expect(events).toBe(channels * perChannel);
    expect(connection.closed).toBeUndefined();
  },
);

test('what is opened on a slow socket does not wait until its other channels have caught up', async () => {
  const { read, connection, work } = openBacklog({ channels: 3, perChannel: 60 });
  await work();
  connection.write(subscribe(99, 'order:o-new', { first: 'states' }));
  let events = 0;
  let isOpen = false;
  for (let i = 0; i < 400 && !isOpen; i++) {
    await work();
    for (const frame of read(10_000)) {
      if (frame.kind === 'event') events++;
      isOpen ||= frame.kind === 'subscribed' && frame.id === 99;
    }
  }

  expect(isOpen).toBe(true);
  expect(events).toBeLessThan(30);
});
