// What is to be written when users come, linger, leave, fail, and when the pod begins another life.
import { beforeEach, expect, test } from 'vitest';
import { Residents, type Task } from './residents.ts';

const LINGER_MS = 3_000;
let residents: Residents;
beforeEach(() => {
  residents = new Residents(LINGER_MS);
});

const next = (): string | undefined => {
  const task = residents.take();
  return task && `${task.kind} ${task.user}`;
};
const finish = (): Task => {
  const task = residents.take()!;
  residents.done(task);
  return task;
};
/** Came, and settled. */
const settle = (user = 'u'): void => {
  residents.came(user);
  finish();
};

test('who comes arrives once, who leaves does so after the linger, and is forgotten', () => {
  settle();
  residents.came('u');
  expect(next()).toBeUndefined();

  residents.left('u', 0);
  residents.sweep(LINGER_MS - 1);
  expect(next()).toBeUndefined();
  residents.sweep(LINGER_MS);
  expect(finish()).toMatchObject({ kind: 'leave', user: 'u' });
  expect([residents.size, residents.here, next()]).toEqual([0, 0, undefined]);
});

test('who comes back within the linger has nothing written', () => {
  settle();
  residents.left('u', 0);
  residents.came('u');
  residents.sweep(LINGER_MS);
  expect(next()).toBeUndefined();

  residents.left('u', 10_000);
  residents.sweep(10_000 + LINGER_MS);
  expect(next()).toBe('leave u');
});

test('who comes back while the leave is written arrives again after it', () => {
  settle();
  residents.left('u', 0);
  residents.sweep(LINGER_MS);
  const leave = residents.take()!;
  residents.came('u');
  expect(next()).toBeUndefined();

  residents.done(leave);
  expect(next()).toBe('arrive u');
});

test('who leaves while the arrival is written leaves after it', () => {
  residents.came('u');
  const arrive = residents.take()!;
  residents.left('u', 0);
  residents.sweep(LINGER_MS);
  expect(next()).toBeUndefined();

  residents.done(arrive);
  expect(next()).toBe('leave u');
});

test('what failed is taken again, an arrival and a leave', () => {
  residents.came('u');
  residents.failed(residents.take()!);
  finish();
  residents.left('u', 0);
  residents.sweep(LINGER_MS);
  residents.failed(residents.take()!);

  expect(finish().kind).toBe('leave');
  expect(residents.size).toBe(0);
});

test('an arrival that failed may have been written: its leave is', () => {
  residents.came('u');
  const arrive = residents.take()!;
  residents.left('u', 0);
  residents.sweep(LINGER_MS);
  residents.failed(arrive);

  expect(next()).toBe('leave u');
});

test('who came and went before anything was written leaves no trace', () => {
  residents.came('u');
  residents.left('u', 0);
  expect(next()).toBeUndefined();
  residents.sweep(LINGER_MS);

  expect([next(), residents.size]).toEqual([undefined, 0]);
});

test('a doubt writes again for who is here, and for nobody else', () => {
  settle();
  residents.doubt('u');
  residents.doubt('stranger');
  expect(finish()).toMatchObject({ kind: 'arrive', user: 'u' });
  residents.left('u', 0);
  residents.doubt('u');

  expect(next()).toBeUndefined();
});

test('a doubt that comes while the arrival is written is not lost', () => {
  residents.came('u');
  const arrive = residents.take()!;
  residents.doubt('u');
  residents.done(arrive);

  expect(next()).toBe('arrive u');
});

test('another life writes all again who are here, and tells of those who have left as before', () => {
  settle('here');
  settle('lingering');
  settle('leaving');
  residents.left('leaving', -LINGER_MS);
  residents.sweep(0);
  residents.left('lingering', 0);
  residents.startAgain();

  expect(finish()).toMatchObject({ kind: 'leave', user: 'leaving' });
  expect(finish()).toMatchObject({ kind: 'arrive', user: 'here' });
  expect(next()).toBeUndefined();
  residents.sweep(LINGER_MS);
  expect(finish()).toMatchObject({ kind: 'leave', user: 'lingering' });
  expect([next(), residents.size]).toEqual([undefined, 1]);
});

test('what has left is forgotten although the life in which it was written has ended', () => {
  settle();
  residents.left('u', -LINGER_MS);
  residents.sweep(0);
  const leave = residents.take()!;
  residents.startAgain();
  residents.done(leave);

  expect([next(), residents.size]).toEqual([undefined, 0]);
});

test('what the old life finishes late does not count for the new one', () => {
  residents.came('u');
  const old = residents.take()!;
  residents.startAgain();
  residents.done(old);

  expect(finish()).toMatchObject({ kind: 'arrive', life: 1 });
  expect(next()).toBeUndefined();
});

test('entries are renewed for who is here', () => {
  settle('u-1');
  settle('u-2');
  residents.left('u-2', 0);
  residents.renew();

  expect(finish()).toMatchObject({ kind: 'arrive', user: 'u-1' });
  expect(next()).toBeUndefined();
});
