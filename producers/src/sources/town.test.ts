import type { rez } from '@sluice/schemas';
import { expect, test } from 'vitest';
import type { Command, CommandSender } from '../command-sender.ts';
import { ProducerError } from '../errors.ts';
import { jumpingClock } from '../jumping-clock.fixture.ts';
import type { Publisher } from '../publisher.ts';
import { seededRandom } from '../random.ts';
import { createTown } from './city/town.ts';
import { runTown } from './town.ts';

const START_MS = Date.UTC(2026, 0, 1);

const setUp = (takes: (count: number) => 'stored' | 'refused', publishes: () => void = () => undefined) => {
  const stop = new AbortController();
  const clock = jumpingClock(START_MS);
  const sent: Command[] = [];
  const lost: string[] = [];
  let count = 0;
  const commands: CommandSender = {
    send: (command) => {
      sent.push(command);
      if (sent.length === 500) stop.abort();
      return Promise.resolve(takes(sent.length));
    },
    close: () => undefined,
  };
  const publisher = {
    publish: () => {
      publishes();
      return Promise.resolve();
    },
  } as unknown as Publisher<typeof rez>;
  const town = createTown({ startMs: START_MS, random: seededRandom(1), pace: 1, createId: () => `r-${++count}` });
  const onLost = (_: unknown, reason: string): void => void lost.push(reason);
  return { run: () => runTown({ town, publisher, commands, clock, signal: stop.signal, onLost }), sent, lost };
};

test('what people do is sent as theirs, once each, in the order of time', async () => {
  const { run, sent, lost } = setUp(() => 'stored');
  await run();
  expect(sent.length).toBe(500);
  expect(new Set(sent.map(({ commandId }) => commandId)).size).toBe(500);
  expect(sent.every(({ actor }) => actor.sub !== '' && actor.role !== '')).toBe(true);
  expect(lost).toEqual([]);
});

test('a command that is refused is told, and life goes on', async () => {
  const { run, sent, lost } = setUp((count) => (count % 100 === 0 ? 'refused' : 'stored'));
  await run();
  expect(sent.length).toBe(500);
  expect(lost).toEqual(Array.from({ length: 5 }, () => 'refused'));
});

test('an event that no stream takes for now is let go; a fault that time does not heal ends the run', async () => {
  const passing = setUp(
    () => 'stored',
    () => {
      throw new ProducerError('unavailable', {});
    },
  );
  await passing.run();
  expect(passing.lost.length).toBeGreaterThan(100);
  const lasting = setUp(
    () => 'stored',
    () => {
      throw new ProducerError('forbidden', {});
    },
  );
  await expect(lasting.run()).rejects.toMatchObject({ code: 'forbidden' });
});
