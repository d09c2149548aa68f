import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';

test('due callbacks run in order of time, each at its own time', () => {
  const clock = new ManualClock(0);
  const seen: string[] = [];
  clock.setTimeout(() => seen.push(`b${clock.now()}`), 20);
  clock.setTimeout(() => seen.push(`a${clock.now()}`), 10);
  clock.setTimeout(() => seen.push('late'), 31);

  clock.advance(30);

  expect(seen).toEqual(['a10', 'b20']);
  expect(clock.now()).toBe(30);
});

test('a callback may set a timer that is due in the same advance', () => {
  const clock = new ManualClock(0);
  const seen: number[] = [];
  clock.setTimeout(() => clock.setTimeout(() => seen.push(clock.now()), 5), 10);

  clock.advance(15);

  expect(seen).toEqual([15]);
});

test('an interval repeats until it is cleared, also from inside', () => {
  const clock = new ManualClock(0);
  let count = 0;
  const timer = clock.setInterval(() => {
    count += 1;
    if (count === 3) clock.clear(timer);
  }, 10);

  clock.advance(100);

  expect(count).toBe(3);
  expect(clock.pending).toBe(0);
});

test('async code goes on between its timers', async () => {
  const clock = new ManualClock(0);
  let done = 0;
  const work = async (): Promise<void> => {
    for (; done < 3; done += 1) await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
  };
  void work();

  await clock.advanceAsync(25);

  expect(done).toBe(2);
});
