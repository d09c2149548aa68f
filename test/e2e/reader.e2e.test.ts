// The ordered reader against a real server: every stored event once and in order, or a new generation.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { GatewayError } from '@sluice/gateway/errors';
import { systemClock } from '@sluice/gateway/clock';
import { connectToNats } from '@sluice/gateway/log/nats';
import { checkStreams } from '@sluice/gateway/log/streams';
import { describe, expect, test } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { startReader } from '../kit/log-recorder.ts';
import { oldNatsServerBinary } from '../kit/nats-binary.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import {
  ORDER_STREAM,
  createOrderStreams,
  createStream,
  publishOrderEvents,
  startSteadyLoad,
} from '../kit/order-events.ts';

const STEADY = { eventsPerSecond: 500, next: () => ({ type: 'order.status_changed' as const }) };

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a stream that stays what it is', () => {
  test('is read from its start and goes on live', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 300);

    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder, reader } = harness;
    expect(recorder.sequences).toEqual(range(1, 300));
    await publishOrderEvents(connection, 50);

    await eventually(() => recorder.sequences.length === 350);
    expect(recorder.sequences).toEqual(range(1, 350));
    expect(recorder.generations).toMatchObject([{ firstSequence: 1, cause: 'boot' }]);
    expect(reader.status()).toMatchObject({ state: 'reading', head: 350, recreations: 0 });
    await eventually(() => reader.status().previousLeaderSequence === 350, { what: 'the leader is read' });
  });

  test('that is empty has a head, and its first event arrives', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 5);
    await (await jetstreamManager(connection)).streams.purge(ORDER_STREAM);

    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder, reader } = harness;
    expect(recorder.current.firstSequence).toBe(6);
    expect(reader.status().head).toBe(5);
    await publishOrderEvents(connection, 1);

    await eventually(() => recorder.sequences.length === 1);
    expect(recorder.sequences).toEqual([6]);
  });

  test('whose last event is old begins with that event', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 20);

    await using harness = await startReader([nats.url], ORDER_STREAM, { startMs: 0 });

    expect(harness.recorder.sequences).toEqual([20]);
    expect(harness.recorder.current.firstSequence).toBe(20);
  });

  test('begins later if it holds more than the budget', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 1_000);
    const { state } = await (await jetstreamManager(connection)).streams.info(ORDER_STREAM);

    await using harness = await startReader([nats.url], ORDER_STREAM, { maxBackfillBytes: state.bytes / 10 });

    const { firstSequence } = harness.recorder.current;
    expect(firstSequence).toBeGreaterThan(880);
    expect(firstSequence).toBeLessThan(920);
    expect(harness.recorder.sequences).toEqual(range(firstSequence, 1_000));
  });

  test('whose newest events are deleted still has the head that its leader names', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 10);
    const manager = await jetstreamManager(connection);
    for (const sequence of [9, 10]) await manager.streams.deleteMessage(ORDER_STREAM, sequence);

    await using harness = await startReader([nats.url], ORDER_STREAM);

    expect(harness.recorder.sequences).toEqual(range(1, 8));
    expect(harness.reader.status().head).toBe(10);
  });

  test.each(['stop', 'kill'] as const)('loses and repeats nothing over a restart (%s) under load', async (how) => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    const load = startSteadyLoad(connection, STEADY);
    await eventually(() => recorder.sequences.length > 100);

    await nats.restart(how);

    await eventually(() => recorder.sequences.length > 600, { timeoutMs: 20_000 });
    await load.stop();
    const { state } = await (await jetstreamManager(connection)).streams.info(ORDER_STREAM);
    await eventually(() => recorder.sequences.at(-1) === state.last_seq);
    expect(recorder.generations).toHaveLength(1);
    expect(recorder.sequences).toEqual(range(1, state.last_seq));
    expect(recorder.breaches).toEqual([]);
  });

  test('loses and repeats nothing while the server stands still for 3 s', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    const load = startSteadyLoad(connection, STEADY);
    await eventually(() => recorder.sequences.length > 100);

    await nats.pause();
    await eventually(() => harness.doubts.includes('silence'), { timeoutMs: 5_000 });
    nats.resume();

    const before = recorder.sequences.length;
    await eventually(() => recorder.sequences.length > before + 300, { timeoutMs: 20_000 });
    await load.stop();
    const { state } = await (await jetstreamManager(connection)).streams.info(ORDER_STREAM);
    await eventually(() => recorder.sequences.at(-1) === state.last_seq);
    expect(recorder.generations).toHaveLength(1);
    expect(recorder.sequences).toEqual(range(1, state.last_seq));
    expect(recorder.breaches).toEqual([]);
  });

  test('is read from a server of 2.9 too, over a restart', async () => {
    await using nats = await startNatsServer({ binary: await oldNatsServerBinary() });
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 50);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    expect(harness.recorder.sequences).toEqual(range(1, 50));

    await nats.restart('kill');
    await eventually(() => connection.rtt());
    await publishOrderEvents(connection, 10);

    await eventually(() => harness.recorder.sequences.length === 60, { timeoutMs: 20_000 });
    expect(harness.recorder.sequences).toEqual(range(1, 60));
    expect(harness.recorder.generations).toHaveLength(1);
  });

  test('goes on from an older event if its last one was deleted meanwhile', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 10);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder, reader } = harness;
    const manager = await jetstreamManager(connection);
    for (const sequence of [10, 9, 8]) await manager.streams.deleteMessage(ORDER_STREAM, sequence);

    await nats.restart('kill');
    await eventually(() => connection.rtt());
    await publishOrderEvents(connection, 2);

    await eventually(() => recorder.sequences.at(-1) === 12);
    expect(recorder.generations).toHaveLength(1);
    expect(recorder.sequences).toEqual(range(1, 12));
    expect(reader.status().recreations).toBeGreaterThan(0);
  });

  test('is not fooled by events that look like heartbeats, flow control or markers', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    const forged = headers();
    forged.append('Status', '100');
    forged.append('Nats-Last-Consumer', '999999');
    forged.append('Nats-Sequence', '999999');
    const status = headers(100, 'Idle Heartbeat');
    status.append('Nats-Last-Consumer', '999999');
    const client = jetstream(connection);

    await client.publish('order.m.u.o.empty', '', { headers: forged });
    await client.publish('order.m.u.o.status', '', { headers: status });
    await client.publish('order.m.u.o.full', 'x', { headers: forged });

    await eventually(() => recorder.sequences.length === 3);
    expect(recorder.current.events).toMatchObject([
      { sequence: 1, subject: 'order.m.u.o.empty', payload: '' },
      { sequence: 2, subject: 'order.m.u.o.status', payload: '' },
      { sequence: 3, subject: 'order.m.u.o.full', payload: 'x' },
    ]);
    expect(harness.doubts).toEqual([]);
  });

  test('moves over delete markers without calling them events', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const marker = headers();
    marker.append('Nats-Marker-Reason', 'MaxAge');

    await jetstream(connection).publish('order.m.u.o.gone', '', { headers: marker });
    await publishOrderEvents(connection, 1);

    await eventually(() => harness.recorder.sequences.length === 1);
    expect(harness.recorder.current.skipped).toEqual([1]);
    expect(harness.recorder.sequences).toEqual([2]);
  });

  test('comes back to an event that its sink could not take', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    recorder.failOn = 3;

    await publishOrderEvents(connection, 6);

    await eventually(() => recorder.sequences.length === 6);
    expect(recorder.sequences).toEqual(range(1, 6));
    expect(recorder.breaches).toEqual([]);
    expect(harness.doubts).toEqual(['sink_failed']);
  });

  test('leaves no consumer behind', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 3);
    const manager = await jetstreamManager(connection);
    {
      await using harness = await startReader([nats.url], ORDER_STREAM);
      expect(harness.recorder.sequences).toHaveLength(3);
      expect((await manager.streams.info(ORDER_STREAM)).state.consumer_count).toBe(1);
    }

    expect((await manager.streams.info(ORDER_STREAM)).state.consumer_count).toBe(0);
  });
});

describe('a stream that becomes another one', () => {
  test('is a new generation after it was deleted and created again', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 10);
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    const manager = await jetstreamManager(connection);

    await manager.streams.delete(ORDER_STREAM);
    await createStream(connection, ORDER_STREAM, ['order.>', 'delivery.>']);
    await publishOrderEvents(connection, 20);

    await eventually(() => recorder.generations.length === 2 && recorder.sequences.length === 20);
    const [first, second] = recorder.generations;
    expect(second).toMatchObject({ cause: 'new_stream', firstSequence: 1 });
    expect(second!.identity.epoch).not.toBe(first!.identity.epoch);
  });

  test('is a new generation after it was rolled back and grew past its old end', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 10);
    await nats.copyStore(nats.scratch('older'));
    await eventually(() => connection.rtt());
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    await publishOrderEvents(connection, 5);
    await eventually(() => recorder.sequences.length === 15);

    // The reader must not see the short stream: its connection is cut off until the stream has grown again.
    await nats.stop();
    await nats.replaceStore(nats.scratch('older'));
    await nats.start();
    await eventually(() => connection.rtt());
    await publishOrderEvents(connection, 20, { startAt: 1_000 });

    await eventually(() => recorder.generations.length === 2 && recorder.sequences.at(-1) === 30, {
      timeoutMs: 20_000,
    });
    const [first, second] = recorder.generations;
    expect(second).toMatchObject({ cause: 'rolled_back', firstSequence: 1 });
    expect(second!.identity).toEqual(first!.identity);
    expect(recorder.sequences).toEqual(range(1, 30));
  });

  test('that was rolled back and is shorter now is a new generation too', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await publishOrderEvents(connection, 10);
    await nats.copyStore(nats.scratch('older'));
    await eventually(() => connection.rtt());
    await using harness = await startReader([nats.url], ORDER_STREAM);
    const { recorder } = harness;
    await publishOrderEvents(connection, 5);
    await eventually(() => recorder.sequences.length === 15);

    await nats.replaceStore(nats.scratch('older'));

    await eventually(() => recorder.generations.length === 2, { timeoutMs: 20_000 });
    expect(recorder.current.cause).toBe('rolled_back');
    await eventually(() => recorder.sequences.at(-1) === 10);
  });
});

describe('the boot check', () => {
  test('names every fault of every stream at once', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'INTEREST', subjects: ['a.>'], retention: 'interest', allow_direct: true });
    await manager.streams.add({ name: 'QUEUE', subjects: ['b.>'], retention: 'workqueue', allow_direct: false });
    await manager.streams.add({ name: 'FULL', subjects: ['eph.c.>'], max_consumers: 3, allow_direct: true });
    await manager.streams.add({ name: 'GOOD', subjects: ['d.>'], allow_direct: true });
    const gatewayNats = await connectToNats({
      servers: [nats.url],
      name: 'boot check',
      clock: systemClock,
      connectTimeoutMs: 5_000,
    });

    const error = await checkStreams(gatewayNats.requests, ['INTEREST', 'QUEUE', 'FULL', 'GOOD', 'MISSING']).catch(
      (thrown: unknown) => thrown,
    );

    await gatewayNats.close();
    expect(error).toBeInstanceOf(GatewayError);
    const { code, details } = error as GatewayError;
    expect(code).toBe('streams_unfit');
    expect(
      (details['faults'] as { stream: string; code: string }[]).map((fault) => [fault.stream, fault.code]),
    ).toEqual([
      ['INTEREST', 'stream_retention'],
      ['QUEUE', 'stream_retention'],
      ['QUEUE', 'stream_no_direct'],
      ['FULL', 'stream_max_consumers'],
      ['FULL', 'stream_stores_ephemeral'],
      ['MISSING', 'stream_missing'],
    ]);
  });

  test('gives up on servers that do not answer, with a code', async () => {
    const connecting = connectToNats({
      servers: ['127.0.0.1:1'],
      name: 'nobody',
      clock: systemClock,
      connectTimeoutMs: 300,
    });

    await expect(connecting).rejects.toMatchObject({ code: 'nats_unreachable' });
  });
});
