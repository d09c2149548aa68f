// The newest event of a stream may be gone (expired, deleted) when a pod starts: its tail then ends below positions that
// other pods gave out, although it has read everything there is.
import { encodePosition } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { resolveChannel } from '../access/permission.ts';
import { ORDERS } from '../delivery/delivery.fixture.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { createTestPod, settle, type TestPod } from './pod.fixture.ts';
import { CUSTOMER, hello, kinds, subscribe } from './session.fixture.ts';

const MOVED = 'order.m-1.u-1.o-1.location_updated';

/** A stream of which event 3 was the last and is gone; the reader knows that it has missed nothing up to there. */
const createPod = (): { pod: TestPod; cold: ModelCold; log: ModelStream } => {
  const streams = new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)]));
  const log = streams.get('ORDER')!;
  const cold = new ModelCold(streams);
  const pod = createTestPod({
    cold,
    leaderOf: (stream) => ({ lastSequence: streams.get(stream)!.last, readMs: pod.clock.now() }),
    readThrough: (stream) => streams.get(stream)!.last,
  });
  for (let i = 1; i <= 3; i++) log.append(1_000 + i, MOVED);
  log.events.pop();
  const sink = pod.sinkOf('ORDER');
  sink.begin({ stream: 'ORDER', epoch: log.epoch, created: '' }, 1, 'boot');
  for (const { sequence, timeMs, subject, payload } of log.events) sink.append(sequence, timeMs, subject, payload);
  pod.sinkOf('PAYMENT').begin({ stream: 'PAYMENT', epoch: 'PAYMENT-1', created: '' }, 1, 'boot');
  return { pod, cold, log };
};

const resolved = resolveChannel(ORDERS, CUSTOMER, 'order:o-1');
const at = (sequence: number, timeMs: number): string =>
  encodePosition({
    key: resolved.ok ? resolved.value.key : '',
    entries: [
      { epoch: 'ORDER-1', sequence, timeMs },
      { epoch: 'PAYMENT-1', sequence: 0, timeMs: 0 },
    ],
  });

test.each([
  ['goes on', 1_003, ['subscribed', 'live']],
  ['is reset where the neighbours of its event contradict it', 1_001, ['subscribed', 'reset', 'live']],
] as const)('a position at the end that is gone %s', async (_, timeMs, expected) => {
  const { pod, cold, log } = createPod();
  const connection = pod.connect();
  connection.write(hello(), subscribe(1, 'order:o-1', { position: at(3, timeMs) }));
  for (let i = 0; i < 10; i++) {
    await settle();
    for (const asked of cold.asked.splice(0)) asked.answer();
    pod.turn();
  }

  expect(kinds(connection.read()).slice(1)).toEqual(expected);

  log.append(1_004, MOVED);
  pod.sinkOf('ORDER').append(4, 1_004, MOVED, log.events.at(-1)!.payload);
  pod.turn();
  expect(connection.read()).toMatchObject([{ kind: 'event', sequence: 4 }]);
});
