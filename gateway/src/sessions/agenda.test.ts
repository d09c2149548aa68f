import { expect, test } from 'vitest';
import { Agenda } from './agenda.ts';

const person = (name: string): { name: string; slot: number } => ({ name, slot: -1 });
const names = (taken: readonly { name: string }[]): string[] => taken.map(({ name }) => name);

test('nobody is taken before the time, everybody once it has come, the earliest first', () => {
  const agenda = new Agenda<ReturnType<typeof person>>();
  agenda.put(person('late'), 9_700);
  agenda.put(person('early'), 5_100);
  agenda.put(person('never'), Number.POSITIVE_INFINITY);

  expect(names(agenda.take(5_099))).toEqual([]);
  expect(names(agenda.take(5_500))).toEqual(['early']);
  expect(names(agenda.take(60_000))).toEqual(['late']);
  expect(names(agenda.take(600_000))).toEqual([]);
});

test('a new time replaces the one before, also an earlier one', () => {
  const agenda = new Agenda<ReturnType<typeof person>>();
  const who = person('moved');
  agenda.put(who, 90_000);
  agenda.put(who, 1_000);

  expect(names(agenda.take(1_000))).toEqual(['moved']);
  expect(names(agenda.take(100_000))).toEqual([]);
});

test('a time that has passed comes with the next take, not never', () => {
  const agenda = new Agenda<ReturnType<typeof person>>();
  agenda.take(100_000);
  agenda.put(person('past'), 50_000);

  expect(names(agenda.take(100_600))).toEqual(['past']);
});

test('one who was removed does not come back', () => {
  const agenda = new Agenda<ReturnType<typeof person>>();
  const who = person('gone');
  agenda.put(who, 1_000);
  agenda.remove(who);

  expect(names(agenda.take(10_000))).toEqual([]);
});
