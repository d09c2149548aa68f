// What an opening may hold.
import { expect, test } from 'vitest';
import { CUSTOMER, ORDERS, createDelivery, resolve } from '../delivery/delivery.fixture.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { openWithFirst, type Opened } from './opening.ts';
import { settle } from './pod.fixture.ts';

const openLast = async (last: number, filler: number): Promise<Opened> => {
  const { tails, channels } = createDelivery();
  const streams = new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)]));
  const log = streams.get('ORDER')!;
  for (let i = 1; i <= 60; i++) log.append(1_000 + i, 'order.m-1.u-1.o-1.status_changed', { filler });
  tails.get('ORDER')!.begin(log.epoch, log.last + 1);
  const cold = new ModelCold(streams);
  const stream = channels.acquire(resolve(CUSTOMER, 'order:o-1')).streams.find(({ tail }) => tail.stream === 'ORDER')!;
  const sources = { cold, families: ORDERS.families, maxStates: 200 };
  const opened = Promise.resolve(openWithFirst(stream, { last }, sources));
  for (let i = 0; i < 40; i++) {
    for (const asked of cold.asked.splice(0)) asked.answer();
    await settle();
  }
  return await opened;
};

test.each([5, 40, 60, 100])('the last %i are brought along while they are small', async (last) => {
  const opened = await openLast(last, 10);

  expect(opened).toMatchObject({ kind: 'start', start: { after: 60, isSettled: false } });
  expect(opened.kind === 'start' && opened.start.events.length).toBe(Math.min(last, 60));
});

test.each([
  [40, 20],
  [60, 0],
  [100, 0],
])('of the last %i large ones only where they begin is kept', async (last, after) => {
  expect(await openLast(last, 15_000)).toMatchObject({ kind: 'start', start: { after, events: [], isSettled: true } });
});
