import { describe, expect, test } from 'vitest';
import { InFlightWindow } from './in-flight.ts';

const windowOf = (maxInFlight: number, maxInFlightBytes = 1_000, maxWaiting = 10) =>
  new InFlightWindow({ maxInFlight, maxInFlightBytes, maxWaiting });

const settled = async (): Promise<void> => {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
};

describe('the window in flight', () => {
  test('lets in as many as its count, the rest in order as others leave', async () => {
    const window = windowOf(2);
    const entered: number[] = [];
    for (const number of [1, 2, 3, 4, 5]) {
      const entry = window.enter(10);
      if (entry === 'entered') entered.push(number);
      else if (entry !== 'overloaded') void entry.then(() => entered.push(number));
    }
    expect(entered).toEqual([1, 2]);
    expect(window.waiting).toBe(3);

    window.leave(10);
    window.leave(10);
    await settled();

    expect(entered).toEqual([1, 2, 3, 4]);
    expect(window.count).toBe(2);
  });

  test('bounds the bytes, and a small one does not overtake a large one that waits', async () => {
    const window = windowOf(10, 100);
    expect(window.enter(80)).toBe('entered');
    let large = false;
    let small = false;
    void (window.enter(30) as Promise<void>).then(() => (large = true));
    void (window.enter(5) as Promise<void>).then(() => (small = true));
    await settled();
    expect([large, small]).toEqual([false, false]);

    window.leave(80);
    await settled();

    expect([large, small]).toEqual([true, true]);
    expect(window.bytes).toBe(35);
  });

  test('a message above the byte limit goes alone instead of never', () => {
    const window = windowOf(10, 100);
    expect(window.enter(500)).toBe('entered');
    expect(window.enter(1)).toBeInstanceOf(Promise);
  });

  test('refuses those who would wait behind too many', () => {
    const window = windowOf(1, 100, 1);
    expect(window.enter(1)).toBe('entered');
    expect(window.enter(1)).toBeInstanceOf(Promise);
    expect(window.enter(1)).toBe('overloaded');
  });

  test('is idle when nobody is in it and nobody waits, over many strides', async () => {
    const window = windowOf(1, 100, 5_000);
    let inside = 0;
    const all = Array.from({ length: 3_000 }, async () => {
      const entry = window.enter(1);
      if (entry !== 'entered') await entry;
      inside++;
      expect(window.count).toBe(1);
      await Promise.resolve();
      window.leave(1);
    });
    await window.whenIdle();
    await Promise.all(all);
    expect(inside).toBe(3_000);
    expect([window.count, window.bytes, window.waiting]).toEqual([0, 0, 0]);
  });
});
