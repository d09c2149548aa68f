import { expect, test } from 'vitest';
import type { StoredEvent } from './cold-contract.ts';
import { Newest } from './newest.ts';

const event = (sequence: number, subject: string, bytes = 1): StoredEvent => ({
  sequence,
  timeMs: 0,
  subject,
  payload: new Uint8Array(bytes),
  isMarker: false,
});

const sequencesOf = ({ events }: Newest): number[] => events.map(({ sequence }) => sequence);

test('keeps the newest of each subject, in the order of sequences', () => {
  const newest = new Newest(10);
  for (const [sequence, subject] of ['a', 'b', 'a', 'c', 'b'].entries()) newest.add(event(sequence, subject));

  expect(sequencesOf(newest)).toEqual([2, 3, 4]);
});

test('gives up the oldest beyond a number of events, and beyond a number of bytes', () => {
  const few = new Newest(2);
  const small = new Newest(10, 100);
  for (const [sequence, subject] of ['a', 'b', 'c', 'd'].entries()) {
    few.add(event(sequence, subject));
    small.add(event(sequence, subject, 40));
  }

  expect(sequencesOf(few)).toEqual([2, 3]);
  expect(sequencesOf(small)).toEqual([2, 3]);
});

test('what is replaced takes no room any more, and one that is too large alone is kept', () => {
  const newest = new Newest(10, 100);
  for (let sequence = 0; sequence < 5; sequence++) newest.add(event(sequence, 'a', 60));
  newest.add(event(5, 'b', 40));
  expect(sequencesOf(newest)).toEqual([4, 5]);

  newest.add(event(6, 'c', 1_000));
  expect(sequencesOf(newest)).toEqual([6]);
});
