import { expect, test } from 'vitest';
import { Bench, START_MS } from '../service.fixture.ts';
import type { Payments } from './payments.ts';
import { paymentsService } from './service.ts';

const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-1' };
const timestamp = new Date(START_MS).toISOString();

const placed = (total: number): Bench<Payments> => {
  const bench = new Bench(paymentsService);
  bench.happen({
    type: 'order.created',
    keys,
    payload: {
      ...{ ...keys, orderNumber: 'R-1', customer: { name: 'Uma', phone: '' }, items: 1, total },
      ...{ type: 'delivery', createdAt: timestamp },
    },
  });
  return bench;
};

const cancel = (bench: Bench<Payments>): void =>
  bench.happen({
    type: 'order.status_changed',
    keys,
    payload: { orderId: 'o-1', status: 'cancelled', previousStatus: 'placed', timestamp },
  });

const typesOf = (bench: Bench<Payments>): string[] =>
  bench.events.map(({ type }) => type).filter((type) => type.startsWith('payment.'));

test('an order is paid in two steps, with one payment id', () => {
  const bench = placed(20);
  expect(typesOf(bench)).toEqual(['payment.processing', 'payment.confirmed']);
  const [asked] = bench.of('payment.processing');
  expect(bench.of('payment.confirmed')).toMatchObject([
    { keys, payload: { paymentId: asked?.payload.paymentId, orderId: 'o-1', amount: 20, currency: 'EUR' } },
  ]);
});

test('what the provider does not take fails with a reason, and there is nothing to give back', () => {
  const bench = placed(5_001);
  expect(bench.of('payment.failed')[0]?.payload.reason).toContain('limit');
  cancel(bench);
  expect(typesOf(bench)).toEqual(['payment.processing', 'payment.failed']);
});

test('a cancelled order is refunded once', () => {
  const bench = placed(20);
  cancel(bench);
  cancel(bench);
  expect(bench.of('payment.refund_updated')).toMatchObject([{ payload: { amount: 20, refundStatus: 'completed' } }]);
});
