// The publisher against a real nats-server: what is acknowledged is stored, and stored once, whatever happens between.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  applyStreams,
  createPublisher,
  type Publisher,
  ProducerError,
  type ProducerErrorCode,
  type PublisherSettings,
} from '@sluice/producers';
import { compileCatalogue, orders, unpackValue } from '@sluice/schemas';
import { describe, expect, test as base } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FaultProxy } from '../kit/fault-proxy.ts';
import { startNatsCluster } from '../kit/nats-cluster.ts';
import { type NatsServer, startNatsServer } from '../kit/nats-server.ts';

type OrderPublisher = Publisher<typeof orders>;

interface Fixtures {
  nats: NatsServer;
  /** Around the proxy; the streams exist. */
  connection: NatsConnection;
  proxy: FaultProxy;
  /** Through the proxy. */
  open: (settings?: PublisherSettings) => Promise<OrderPublisher>;
}

const compiled = compileCatalogue(orders);
if (!compiled.ok) throw new Error(compiled.error.join('\n'));
const { streams } = compiled.value;

const test = base.extend<Fixtures>({
  nats: async ({}, use) => {
    await using nats = await startNatsServer();
    await use(nats);
  },
  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await applyStreams(await jetstreamManager(connection), streams);
    await use(connection);
  },
  proxy: async ({ nats }, use) => {
    await using proxy = await FaultProxy.start({ port: nats.port });
    await use(proxy);
  },
  open: async ({ proxy, connection }, use) => {
    void connection;
    const opened: OrderPublisher[] = [];
    await use(async (settings = {}) => {
      const servers = `nats://127.0.0.1:${proxy.port}`;
      const publisher = await createPublisher({ catalogue: orders, servers, ...settings });
      opened.push(publisher);
      return publisher;
    });
    await Promise.all(opened.map((publisher) => publisher.close(0)));
  },
});

const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-17' };
const ready = (message = ''): { orderId: string; status: string; message: string; timestamp: string } => ({
  orderId: 'o-17',
  status: 'ready',
  message,
  timestamp: '2026-01-01T00:00:00.000Z',
});

const countOf = async (connection: NatsConnection): Promise<number> =>
  (await (await jetstreamManager(connection)).streams.info('ORDER')).state.messages;

const codeOf = async (publish: Promise<unknown>): Promise<ProducerErrorCode> => {
  try {
    await publish;
  } catch (error) {
    if (error instanceof ProducerError) return error.code;
    throw error;
  }
  throw new Error('it was published');
};

describe('publishing', () => {
  test('is acknowledged with stream and sequence, and the event is what was given', async ({ open, connection }) => {
    const publisher = await open();

    expect(await publisher.publish('order.status_changed', keys, ready('one'))).toEqual({
      kind: 'stored',
      stream: 'ORDER',
      sequence: 1,
      duplicate: false,
    });
    expect(await publisher.publish('order.status_changed', keys, ready('two'))).toMatchObject({ sequence: 2 });

    const stored = await (await jetstreamManager(connection)).streams.getMessage('ORDER', { seq: 2 });
    expect(stored?.subject).toBe('order.m-1.u-1.o-17.status_changed');
    expect(unpackValue(stored!.data)).toEqual(ready('two'));
  });

  test('each family goes to its own stream', async ({ open }) => {
    const publisher = await open({ encoding: 'json' });
    const payment = { paymentId: 'p-1', orderId: 'o-17', amount: 1, currency: 'INR' };
    expect(await publisher.publish('payment.confirmed', keys, payment)).toMatchObject({ stream: 'PAYMENT' });
  });

  test('an id that was stored is answered as a duplicate with the sequence of the first', async ({
    open,
    connection,
  }) => {
    const first = await open();
    const second = await open();
    await first.publish('order.status_changed', keys, ready(), { id: 'x-0' });
    const { sequence } = await first.publish('order.status_changed', keys, ready(), { id: 'x-1' });

    const again = await second.publish('order.status_changed', keys, ready(), { id: 'x-1' });

    expect(again).toMatchObject({ duplicate: true, sequence });
    expect(await countOf(connection)).toBe(2);
  });

  test('an expected sequence that no longer holds is a conflict, and nothing is stored', async ({
    open,
    connection,
  }) => {
    const publisher = await open();
    const place = { expectedSequence: 0 };
    expect(await publisher.publish('order.status_changed', keys, ready(), place)).toMatchObject({ sequence: 1 });

    expect(await publisher.publish('order.status_changed', keys, ready(), place)).toEqual({
      kind: 'conflict',
      code: 'wrong_last_sequence',
      lastSequence: 1,
    });

    expect(await countOf(connection)).toBe(1);
    const next = await publisher.publish('order.status_changed', keys, ready(), { expectedSequence: 1 });
    expect(next).toMatchObject({ kind: 'stored', sequence: 2 });
  });

  test('a repeated publish under an expected sequence is a duplicate, not a conflict with itself', async ({ open }) => {
    const publisher = await open();
    const options = { id: 'once', expectedSequence: 0 };
    await publisher.publish('order.status_changed', keys, ready(), options);
    expect(await publisher.publish('order.status_changed', keys, ready(), options)).toMatchObject({
      kind: 'stored',
      duplicate: true,
      sequence: 1,
    });
  });

  test('of two writers that expect the same sequence exactly one wins', async ({ open }) => {
    const writers = await Promise.all([open(), open(), open()]);
    const results = await Promise.all(
      writers.map((writer) => writer.publish('order.status_changed', keys, ready(), { expectedSequence: 0 })),
    );
    expect(results.map(({ kind }) => kind).sort()).toEqual(['conflict', 'conflict', 'stored']);
  });
});

describe('refusing', () => {
  test('an invalid payload or key: with its path, and nothing is sent', async ({ open, proxy, connection }) => {
    const publisher = await open();
    const sentBefore = proxy.stats().bytesToTarget;
    const broken = { ...ready(), status: 5 as unknown as string };

    await expect(publisher.publish('order.status_changed', keys, broken)).rejects.toMatchObject({
      code: 'invalid_payload',
      details: { type: 'order.status_changed', path: 'payload/status', reason: 'must be string' },
    });
    const widened = { ...keys, userId: '*' };
    await expect(publisher.publish('order.status_changed', widened, ready())).rejects.toMatchObject({
      code: 'invalid_key',
      details: { path: 'keys/userId', reason: 'forbidden_character' },
    });

    expect(proxy.stats().bytesToTarget).toBe(sentBefore);
    expect(await countOf(connection)).toBe(0);
  });

  test('an event that the server would not take', async ({ open }) => {
    const publisher = await open();
    const large = { ...ready(), extra: 'x'.repeat(1_100_000) };
    expect(await codeOf(publisher.publish('order.status_changed', keys, large))).toBe('too_large');
    expect(await publisher.publish('order.status_changed', keys, ready())).toMatchObject({ sequence: 1 });
  });

  test('a subject that no stream stores, once patience has run out', async ({ open, connection }) => {
    await (await jetstreamManager(connection)).streams.delete('PAYMENT');
    const publisher = await open({ retry: { giveUpAfterMs: 300 } });
    const payment = { paymentId: 'p-1', orderId: 'o-17', amount: 1, currency: 'INR' };
    expect(await codeOf(publisher.publish('payment.confirmed', keys, payment))).toBe('unavailable');
  });

  test('what a full stream refuses for good, at once', async ({ open, connection }) => {
    const manager = await jetstreamManager(connection);
    const { config } = await manager.streams.info('ORDER');
    await manager.streams.update('ORDER', { ...config, max_msgs: 1, discard: 'new' });
    const publisher = await open();
    await publisher.publish('order.status_changed', keys, ready());
    expect(await codeOf(publisher.publish('order.status_changed', keys, ready()))).toBe('refused');
  });

  test('what the server forbids, at once', async () => {
    const config = `authorization { users: [
      { user: admin, password: admin }
      { user: shop, password: shop, permissions: { publish: ["payment.>"], subscribe: ["_INBOX_shop.>"] } }
    ] }`;
    await using nats = await startNatsServer({ config });
    await using admin = await nats.connect({ user: 'admin', pass: 'admin' });
    await applyStreams(await jetstreamManager(admin), streams);
    const publisher = await createPublisher({
      catalogue: orders,
      servers: nats.url,
      connect: { user: 'shop', pass: 'shop' },
      inboxPrefix: '_INBOX_shop',
    });
    try {
      const payment = { paymentId: 'p-1', orderId: 'o-17', amount: 1, currency: 'INR' };
      expect(await publisher.publish('payment.confirmed', keys, payment)).toMatchObject({ stream: 'PAYMENT' });
      expect(await codeOf(publisher.publish('order.status_changed', keys, ready()))).toBe('forbidden');
    } finally {
      await publisher.close();
    }
  });
});

describe('through faults', () => {
  const publishMany = (publisher: OrderPublisher, count: number): Promise<number[]> =>
    Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const stored = await publisher.publish('order.status_changed', keys, ready(`event ${index}`));
        return stored.sequence;
      }),
    );

  const messagesOf = async (connection: NatsConnection): Promise<string[]> => {
    const consumer = await jetstream(connection).consumers.get('ORDER');
    const count = await countOf(connection);
    const messages: string[] = [];
    for await (const message of await consumer.fetch({ max_messages: count, expires: 5_000 })) {
      messages.push((unpackValue(message.data) as { message: string }).message);
    }
    return messages;
  };

  const expectEachOnce = (messages: readonly string[], count: number): void => {
    expect(messages.length).toBe(count);
    expect(new Set(messages)).toEqual(new Set(Array.from({ length: count }, (_, index) => `event ${index}`)));
  };

  test.for(['stop', 'kill'] as const)(
    'a server restart (%s) in mid-flight stores each event once',
    async (how, { open, nats, connection }) => {
      const publisher = await open({ maxInFlight: 200 });
      const all = publishMany(publisher, 20_000);
      await eventually(async () => (await countOf(connection)) > 500);

      await nats.restart(how);

      const sequences = await all;
      expect(new Set(sequences).size).toBe(20_000);
      await eventually(() => connection.rtt());
      expectEachOnce(await messagesOf(connection), 20_000);
    },
  );

  test('a killed stream leader in a cluster of three stores each event once', { timeout: 90_000 }, async () => {
    await using cluster = await startNatsCluster();
    await using connection = await cluster.connect();
    await applyStreams(await jetstreamManager(connection), streams, { replicas: 3 });
    const servers = cluster.servers.map(({ url }) => url);
    const publisher = await createPublisher({ catalogue: orders, servers, ackTimeoutMs: 1_000, maxInFlight: 200 });
    try {
      const all = publishMany(publisher, 15_000);
      await eventually(async () => (await countOf(connection)) > 500);

      const leader = await cluster.waitForLeader('ORDER');
      expect(publisher.inFlight.count).toBeGreaterThan(0);
      await leader.kill();

      expect(new Set(await all).size).toBe(15_000);
      expectEachOnce(await eventually(() => messagesOf(connection), { timeoutMs: 20_000 }), 15_000);
    } finally {
      await publisher.close(0);
    }
  });

  test('acknowledgements that are lost do not store an event twice', async ({ open, proxy, connection }) => {
    const publisher = await open({ ackTimeoutMs: 400 });
    proxy.freeze('toClient');
    const all = publishMany(publisher, 50);
    await eventually(async () => (await countOf(connection)) === 50);

    proxy.cut();
    proxy.thaw('toClient');

    const sequences = await all;
    expect([...sequences].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expectEachOnce(await messagesOf(connection), 50);
  });

  test('a server that stands still is asked again until it answers', async ({ open, nats, proxy, connection }) => {
    const publisher = await open({ ackTimeoutMs: 200 });
    await publisher.publish('order.status_changed', keys, ready('event 0'));
    await nats.pause();
    try {
      const sentBefore = proxy.stats().bytesToTarget;
      const paused = publisher.publish('order.status_changed', keys, ready('event 1'));
      // More bytes than two attempts have: each one is kept by the kernel and arrives when the server goes on.
      await eventually(() => proxy.stats().bytesToTarget > sentBefore + 1_000);

      nats.resume();

      expect(await paused).toMatchObject({ sequence: 2 });
      expectEachOnce(await messagesOf(connection), 2);
    } finally {
      nats.resume();
    }
  });

  test('an expected sequence survives the loss of its acknowledgement', async ({ open, proxy, connection }) => {
    const publisher = await open({ ackTimeoutMs: 300 });
    proxy.freeze('toClient');
    const first = publisher.publish('order.status_changed', keys, ready('event 0'), { expectedSequence: 0 });
    await eventually(async () => (await countOf(connection)) === 1);
    proxy.cut();
    proxy.thaw('toClient');

    expect(await first).toMatchObject({ kind: 'stored', sequence: 1 });
    expectEachOnce(await messagesOf(connection), 1);
  });

  test('with no server there is a verdict in the end: certainly not stored', async ({ open, proxy }) => {
    const publisher = await open({ retry: { giveUpAfterMs: 500 } });
    let isLost = false;
    publisher.onConnection((change) => (isLost ||= change === 'lost'));
    proxy.partition();
    await eventually(() => isLost);
    expect(await codeOf(publisher.publish('order.status_changed', keys, ready()))).toBe('unavailable');
  });

  test('an event that may have been stored is never called not stored', async ({ open, proxy, connection }) => {
    const publisher = await open({ ackTimeoutMs: 200, retry: { giveUpAfterMs: 600 } });
    proxy.freeze('toClient');
    expect(await codeOf(publisher.publish('order.status_changed', keys, ready()))).toBe('unacknowledged');
    expect(await countOf(connection)).toBe(1);
  });
});

describe('the bound in flight', () => {
  test('holds in count and bytes, and everything is published', async ({ open, connection }) => {
    const publisher = await open({ maxInFlight: 50, maxInFlightBytes: 3_000 });
    let maxCount = 0;
    let maxBytes = 0;
    const all = Array.from({ length: 2_000 }, async (_, index) => {
      await publisher.publish('order.status_changed', keys, ready('x'.repeat(index % 400)));
      maxCount = Math.max(maxCount, publisher.inFlight.count);
      maxBytes = Math.max(maxBytes, publisher.inFlight.bytes);
    });
    expect(publisher.inFlight.waiting).toBeGreaterThan(1_900);

    await Promise.all(all);

    expect(maxCount).toBeGreaterThan(3);
    expect(maxCount).toBeLessThanOrEqual(50);
    expect(maxBytes).toBeLessThanOrEqual(3_000);
    expect(publisher.inFlight).toEqual({ count: 0, bytes: 0, waiting: 0 });
    expect(await countOf(connection)).toBe(2_000);
  });

  test('a caller that does not await is told when too many wait', async ({ open }) => {
    const publisher = await open({ maxInFlight: 1, maxWaiting: 1 });
    const [first, second, third] = Array.from({ length: 3 }, () =>
      publisher.publish('order.status_changed', keys, ready()),
    );
    expect(await codeOf(third!)).toBe('overloaded');
    expect((await Promise.all([first, second])).map((stored) => stored!.sequence)).toEqual([1, 2]);
  });
});

describe('closing', () => {
  test('waits for what is under way and takes no more', async ({ open, connection }) => {
    const publisher = await open({ maxInFlight: 10 });
    const all = Array.from({ length: 300 }, () => publisher.publish('order.status_changed', keys, ready()));
    const closed = publisher.close();

    expect(await codeOf(publisher.publish('order.status_changed', keys, ready()))).toBe('closed');
    await closed;

    expect((await Promise.all(all)).length).toBe(300);
    expect(await countOf(connection)).toBe(300);
  });

  test('does not wait for ever for a server that is gone', async ({ open, proxy }) => {
    const publisher = await open();
    proxy.partition();
    const code = codeOf(publisher.publish('order.status_changed', keys, ready()));
    await publisher.close(200);
    expect(await code).toBe('closed');
  });

  test('a connection that was given is left open', async ({ connection }) => {
    const publisher = await createPublisher({ catalogue: orders, connection });
    await publisher.publish('order.status_changed', keys, ready());
    await publisher.close();
    expect(connection.isClosed()).toBe(false);
    expect(await countOf(connection)).toBe(1);
  });
});

describe('streams', () => {
  test('are created once, and what differs is said and left alone', async ({ nats }) => {
    await using connection = await nats.connect();
    const manager = await jetstreamManager(connection);
    expect(await applyStreams(manager, streams)).toEqual([
      { stream: 'ORDER', kind: 'created' },
      { stream: 'PAYMENT', kind: 'created' },
    ]);
    expect(await applyStreams(manager, streams)).toEqual([
      { stream: 'ORDER', kind: 'equal' },
      { stream: 'PAYMENT', kind: 'equal' },
    ]);

    const { config } = await manager.streams.info('ORDER');
    await manager.streams.update('ORDER', { ...config, max_msgs: 9, subjects: ['delivery.>', 'order.*.*.*.created'] });

    expect(await applyStreams(manager, streams, { maxBytes: 1_000_000 })).toEqual([
      {
        stream: 'ORDER',
        kind: 'different',
        differences: [
          { field: 'subjects', wanted: ['order.>', 'delivery.>'], found: ['delivery.>', 'order.*.*.*.created'] },
          { field: 'max_bytes', wanted: 1_000_000, found: -1 },
        ],
      },
      {
        stream: 'PAYMENT',
        kind: 'different',
        differences: [{ field: 'max_bytes', wanted: 1_000_000, found: -1 }],
      },
    ]);
    expect((await manager.streams.info('ORDER')).config.max_bytes).toBe(-1);
  });

  test('two at once agree', async ({ nats }) => {
    await using connection = await nats.connect();
    const manager = await jetstreamManager(connection);
    const reports = await Promise.all([applyStreams(manager, streams), applyStreams(manager, streams)]);
    expect(reports.flat().every(({ kind }) => kind !== 'different')).toBe(true);
  });
});
