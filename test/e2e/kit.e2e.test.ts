// The harness itself: what the chaos suites take for granted about servers, clusters and faults.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, test } from 'vitest';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { assertComplete, expectComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { oldNatsServerBinary } from '../kit/nats-binary.ts';
import { startNatsCluster } from '../kit/nats-cluster.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import {
  ORDER_STREAM,
  PAYMENT_STREAM,
  createOrderStreams,
  createStream,
  publishOrderEvents,
  startSteadyLoad,
} from '../kit/order-events.ts';
import { Recorder, typeOf } from '../kit/recorder.ts';
import { type TrueEvent, readStreams } from '../kit/stream-truth.ts';

const markOf = ({ data }: TrueEvent): unknown => (data as { mark: unknown }).mark;

describe('one server', () => {
  test.each(['stop', 'kill'] as const)('keeps its port and its data when it is restarted (%s)', async (how) => {
    await using nats = await startNatsServer();
    await using client = await nats.connect();
    await createOrderStreams(client);
    await publishOrderEvents(client, 20);
    const { port, pid } = nats;

    await nats.restart(how);

    expect(nats.port).toBe(port);
    expect(nats.pid).not.toBe(pid);
    await eventually(() => client.rtt());
    const info = await (await jetstreamManager(client)).streams.info(ORDER_STREAM);
    expect(info.state.messages).toBe(20);
  });

  test('stands still while it is paused and goes on afterwards', async () => {
    await using nats = await startNatsServer();
    await using client = await nats.connect();

    await nats.pause();
    const answer = client.rtt();
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, 'silent'))]);
    nats.resume();

    expect(early).toBe('silent');
    await answer;
  });

  test('rolled back, it has the same stream with fewer events', async () => {
    await using nats = await startNatsServer();
    await using client = await nats.connect();
    await createOrderStreams(client);
    await publishOrderEvents(client, 5);
    const before = await (await jetstreamManager(client)).streams.info(ORDER_STREAM);
    await nats.copyStore(nats.scratch('older'));
    await eventually(() => client.rtt());
    await publishOrderEvents(client, 5);

    await nats.replaceStore(nats.scratch('older'));

    await eventually(() => client.rtt());
    const after = await (await jetstreamManager(client)).streams.info(ORDER_STREAM);
    expect(after.state.last_seq).toBe(5);
    expect(after.created).toBe(before.created);
  });

  test('a steady load stores each of its events once, through a kill, and the checker agrees', async () => {
    await using nats = await startNatsServer();
    await using client = await nats.connect();
    await createOrderStreams(client);
    const load = startSteadyLoad(client, {
      eventsPerSecond: 500,
      next: (index) => ({ type: index % 5 === 0 ? 'payment.confirmed' : 'order.status_changed' }),
    });
    await eventually(() => load.stored.length > 200);

    await nats.kill();
    await nats.start();

    const before = load.stored.length;
    await eventually(() => load.stored.length > before + 200, { timeoutMs: 20_000 });
    const stored = await load.stop();
    const [orders, payments] = await readStreams(client, [ORDER_STREAM, PAYMENT_STREAM]);
    expect(orders!.events.length + payments!.events.length).toBe(stored.length);
    expect(new Set([...orders!.events, ...payments!.events].map(markOf)).size).toBe(stored.length);
    // What a perfect client would have seen, then one event less.
    const filters = customerOrderFilters('u-1', 'o-17');
    const recorder = new Recorder();
    const truths = [orders!, payments!];
    for (const truth of truths) {
      for (const { sequence, timeMs, subject, data } of truth.events) {
        recorder.add('order:o-17', {
          kind: 'event',
          epoch: truth.stream,
          sequence,
          timeMs,
          type: typeOf(subject),
          data,
        });
      }
    }
    assertComplete(recorder, 'order:o-17', truths, { filters, first: 'all' });
    await publishOrderEvents(client, 1);
    await expect(expectComplete(client, recorder, 'order:o-17', { filters, first: 'all' })).rejects.toThrow(
      'missing_tail',
    );
  });

  test('an older server stores and serves single gets', async () => {
    await using nats = await startNatsServer({ binary: await oldNatsServerBinary() });
    await using client = await nats.connect();

    await createOrderStreams(client);
    await publishOrderEvents(client, 3);

    expect(client.info?.version).toMatch(/^2\.(9|10)\./);
    const manager = await jetstreamManager(client);
    expect((await manager.direct.getMessage(ORDER_STREAM, { seq: 2 }))?.seq).toBe(2);
  });
});

describe('a cluster', () => {
  test('survives the death of a stream leader without losing what was acknowledged', async () => {
    await using cluster = await startNatsCluster(3);
    await using client = await cluster.connect();
    await createOrderStreams(client, { replicas: 3 });
    await publishOrderEvents(client, 50);
    const leader = await cluster.waitForLeader(ORDER_STREAM);

    await leader.kill();

    const next = await cluster.waitForLeader(ORDER_STREAM, { not: leader });
    expect(next).not.toBe(leader);
    await eventually(() => publishOrderEvents(client, 1), { timeoutMs: 20_000 });
    await leader.start();
    await cluster.waitUntilHealthy();
    const info = await (await jetstreamManager(client)).streams.info(ORDER_STREAM);
    expect(info.state.messages).toBe(51);
  }, 90_000);

  test('an isolated leader keeps its clients and loses its lead; healed, it follows', async () => {
    await using cluster = await startNatsCluster(3, { routeProxies: true });
    await using client = await cluster.connect();
    await createStream(client, ORDER_STREAM, ['order.>'], { replicas: 3 });
    const leader = await cluster.waitForLeader(ORDER_STREAM);
    await using isolatedClient = await leader.connect();

    cluster.isolate(leader);

    await eventually(async () => (await cluster.routesOf(leader)).length === 0);
    for (const other of cluster.others(leader)) {
      expect(await cluster.routesOf(other)).toEqual(
        cluster.others(leader).flatMap(({ name }) => (name === other.name ? [] : [name])),
      );
    }
    await cluster.waitForLeader(ORDER_STREAM, { not: leader });
    await isolatedClient.rtt();
    await expect(jetstream(isolatedClient, { timeout: 500 }).publish('order.a', 'x')).rejects.toThrow();
    await cluster.heal();
    await cluster.waitUntilHealthy();
    await eventually(() => jetstream(isolatedClient).publish('order.a', 'y'), { timeoutMs: 20_000 });
  }, 90_000);

  test('routes between two servers can be cut while the third keeps both', async () => {
    await using cluster = await startNatsCluster(3, { routeProxies: true });
    const [one, two, three] = cluster.servers;
    await using publisher = await one!.connect();
    await using subscriber = await two!.connect();
    const received = new Set<string>();
    subscriber.subscribe('news', { callback: (_, message) => void received.add(message.string()) });
    await subscriber.flush();
    const arrives = (text: string): Promise<unknown> =>
      eventually(() => {
        publisher.publish('news', text);
        return received.has(text);
      });
    await arrives('before');

    cluster.cutRoutes(one!, two!);

    await eventually(async () => !(await cluster.routesOf(one!)).includes('n2'));
    expect(await cluster.routesOf(three!)).toEqual(['n1', 'n2']);
    // Routes carry a message one hop only: n3 does not stand in for the missing one.
    publisher.publish('news', 'during');
    await publisher.flush();
    await cluster.heal();
    await arrives('after');
    expect([...received]).toEqual(['before', 'after']);
  }, 60_000);

  test('the server of a consumer can be found', async () => {
    await using cluster = await startNatsCluster(3);
    await using client = await cluster.connect();
    await createStream(client, ORDER_STREAM, ['order.>'], { replicas: 3 });
    const manager = await jetstreamManager(client);

    const info = await manager.consumers.add(ORDER_STREAM, { name: 'reader', num_replicas: 1, mem_storage: true });

    const server = await eventually(() => cluster.consumerServer(ORDER_STREAM, 'reader'));
    expect(server.name).toBe(info.cluster?.leader);
    expect(await cluster.consumerNames(ORDER_STREAM)).toEqual(['reader']);
  });
});
