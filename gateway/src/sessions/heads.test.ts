import { expect, test } from 'vitest';
import { createDelivery, CUSTOMER, resolve, type Delivery } from '../delivery/delivery.fixture.ts';
import { headsOf } from './heads.ts';

const CREATED = 'order.m-1.u-1.o-1.created';

const subscription = (
  { channels }: Delivery,
  name: string,
  settled: readonly (number | undefined)[],
): Parameters<typeof headsOf>[0][number] => ({
  channel: channels.acquire(resolve(CUSTOMER, name)),
  settled: (stream) => settled[stream],
});

const filled = (): Delivery => {
  const delivery = createDelivery();
  for (let i = 1; i <= 5; i++) delivery.append('ORDER', CREATED, undefined, { timeMs: 1_000 + i });
  delivery.append('PAYMENT', 'payment.m-1.u-1.o-1.failed', undefined, { timeMs: 2_001 });
  return delivery;
};

test('a head is the lowest that is settled for every subscription of the connection', () => {
  const delivery = filled();
  const all = [subscription(delivery, 'order:o-1', [5, 1]), subscription(delivery, 'user:u-1', [3, 1])];

  expect(headsOf(all)).toEqual([
    ['ORDER-1', 3, 1_003],
    ['PAYMENT-1', 1, 2_001],
  ]);
});

test('a stream of which a subscription knows nothing yet is left out', () => {
  const delivery = filled();
  const all = [subscription(delivery, 'order:o-1', [5, 1]), subscription(delivery, 'user:u-1', [undefined, 1])];

  expect(headsOf(all)).toEqual([['PAYMENT-1', 1, 2_001]]);
});

test('only what an event of the tail, or its head, vouches for is told', () => {
  const delivery = filled();
  delivery.tails.get('ORDER')!.skip(9, 1_009);

  expect(headsOf([subscription(delivery, 'order:o-1', [9, 0])])).toEqual([['ORDER-1', 9, 1_009]]);
  expect(headsOf([subscription(delivery, 'order:o-1', [8, 0])])).toEqual([]);
  expect(headsOf([subscription(delivery, 'order:o-1', [12, 7])])).toEqual([]);
  expect(headsOf([])).toEqual([]);
});
