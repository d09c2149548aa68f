import type { rez } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { ProducerError, type ProducerErrorCode } from '../errors.ts';
import { jumpingClock } from '../jumping-clock.fixture.ts';
import type { Publisher } from '../publisher.ts';
import { seededRandom } from '../random.ts';
import { City } from './city/simulation.ts';
import { runCity } from './city.ts';

interface Published {
  readonly type: string;
  readonly orderId: string;
  readonly id: string;
}

const setUp = (publishOne: (event: Published, attempts: number) => ProducerErrorCode | 'stored') => {
  const clock = jumpingClock();
  const startMs = clock.nowMs - 300_000;
  const stop = new AbortController();
  const stored: Published[] = [];
  let attempts = 0;
  const publisher = {
    publish: async (type: string, keys: { orderId: string }, _: unknown, options: { id: string }) => {
      const event = { type, orderId: keys.orderId, id: options.id };
      await Promise.resolve();
      const outcome = publishOne(event, ++attempts);
      if (outcome !== 'stored') throw new ProducerError(outcome, { type });
      stored.push(event);
      return { kind: 'stored' as const, stream: 'ORDER', sequence: stored.length, duplicate: false };
    },
  } as unknown as Publisher<typeof rez>;
  const city = new City({ orders: 5, startMs, random: seededRandom(2) });
  const uncertain: string[] = [];
  const run = (onRunning?: () => void): Promise<void> =>
    runCity(
      {
        ...{ city, publisher, clock, signal: stop.signal, runId: 'r', ...(onRunning && { onRunning }) },
        onUncertain: ({ type }) => uncertain.push(type),
      },
      startMs,
    );
  return { run, stop, stored, uncertain, clock, startMs };
};

test('the past five minutes are told first, then life goes on until it is stopped', async () => {
  const { run, stop, stored, clock } = setUp((_, attempts) => {
    if (attempts === 400) stop.abort();
    return 'stored';
  });
  let beforeRunning = 0;
  const beganMs = clock.nowMs;
  await run(() => (beforeRunning = stored.length));
  expect(beforeRunning).toBeGreaterThan(20);
  expect(stored.length).toBe(400);
  expect(clock.nowMs).toBeGreaterThan(beganMs + 10_000);
});

test('an event that NATS did not take is published again under its id, before the next one of its order', async () => {
  const failed: Published[] = [];
  const { run, stop, stored } = setUp((event, attempts) => {
    if (attempts === 600) stop.abort();
    if (attempts % 3 !== 0) return 'stored';
    failed.push(event);
    return 'unavailable';
  });
  await run();
  expect(failed.length).toBeGreaterThan(100);
  const ids = stored.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id } of failed.slice(0, -1)) expect(ids).toContain(id);
  // Ids count up within a lane in the order in which things happened.
  const last = new Map<string, number>();
  for (const { orderId, id } of stored) {
    const number = Number.parseInt(id.slice(2), 36);
    expect(number).toBeGreaterThan(last.get(orderId) ?? 0);
    last.set(orderId, number);
  }
});

test('an event of unknown fate is not repeated: it might be stored twice', async () => {
  const seen: string[] = [];
  const { run, stop, uncertain } = setUp((event, attempts) => {
    if (attempts === 50) stop.abort();
    seen.push(event.id);
    return attempts === 10 ? 'unacknowledged' : 'stored';
  });
  await run();
  expect(uncertain.length).toBe(1);
  expect(new Set(seen).size).toBe(seen.length);
});

test('a fault that time does not heal ends the run', async () => {
  const { run } = setUp(() => 'forbidden');
  await expect(run()).rejects.toMatchObject({ code: 'forbidden' });
});
