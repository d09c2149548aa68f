import type { NewEvent } from '../../service/definition.ts';
import { expect, test } from 'vitest';
import { Bench, user } from '../service.fixture.ts';
import { notificationsService } from './service.ts';

const TIMESTAMP = '2026-01-14T12:00:00.000Z';
const order = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-1' };

const status = (value: string): NewEvent => ({
  ...{ type: 'order.status_changed', keys: order },
  payload: { orderId: 'o-1', status: value, timestamp: TIMESTAMP },
});
const presence = (type: 'user.online' | 'user.offline'): NewEvent => ({
  ...{ type, keys: { userId: 'u-1' } },
  payload: { userId: 'u-1', timestamp: TIMESTAMP },
});
const message = (chatId: string, senderType: 'agent' | 'user'): NewEvent => ({
  ...{ type: 'chat.message', keys: { chatId, userId: 'a-1' } },
  payload: {
    ...{ messageId: 'm', chatId, senderId: 'a-1', senderName: 'Asha', senderType, text: 'Hello'.repeat(100) },
    timestamp: TIMESTAMP,
  },
});

const madeBy = (bench: Bench<ReturnType<typeof notificationsService.initial>>, event: NewEvent): string[] => {
  const before = bench.events.length + 1;
  bench.happen(event);
  return bench.events.slice(before).map(({ type, keys }) => `${type} ${Object.values(keys).join(' ')}`);
};

test('who is not connected is also pushed to; who is connected on some device is not', () => {
  const bench = new Bench(notificationsService);
  const both = ['notification.created u-1', 'notification.push_requested u-1'];
  expect(madeBy(bench, status('delivered'))).toEqual(both);
  bench.happen(presence('user.online'));
  expect(madeBy(bench, status('delivered'))).toEqual(['notification.created u-1']);
  bench.happen(presence('user.offline'));
  expect(madeBy(bench, status('delivered'))).toEqual(both);
});

test('not every status is worth a notice, nor is one that nobody knows', () => {
  const bench = new Bench(notificationsService);
  for (const value of ['preparing', 'toString', '__proto__', 'beamed_up']) {
    expect(madeBy(bench, status(value))).toEqual([]);
  }
});

test('a new order is for the merchant, with a sound', () => {
  const bench = new Bench(notificationsService);
  const payload = {
    ...{ ...order, orderNumber: 'RZ-1', customer: { name: 'Asha', phone: '' }, items: 1, total: 5, type: 'delivery' },
    createdAt: TIMESTAMP,
  };
  const made = madeBy(bench, { type: 'order.created', keys: order, payload });
  expect(made).toEqual(['notification.created m-1', 'notification.sound m-1']);
});

test('an agent´s answer reaches the phone of a customer who has gone, and bothers nobody who is there', () => {
  const bench = new Bench(notificationsService);
  expect(madeBy(bench, message('chat-u-1', 'user'))).toEqual([]);
  expect(madeBy(bench, message('group-1', 'agent'))).toEqual([]);
  expect(madeBy(bench, message('chat-u-1', 'agent'))).toHaveLength(2);
  expect(bench.of('notification.created')[0]?.payload.body.length).toBe(200);
  bench.happen(presence('user.online'));
  expect(madeBy(bench, message('chat-u-1', 'agent'))).toEqual([]);
});

test('people put away what is theirs or their shop´s, and nothing of others', () => {
  const bench = new Bench(notificationsService);
  bench.happen(status('delivered'));
  const { payload } = bench.of('notification.created')[0]!;
  const notificationIds = [payload.notificationId, 'n-unknown'];
  const by = (sub: string): unknown => bench.send(user(sub), 'notification.mark_read', { notificationIds });
  expect(by('u-1')).toMatchObject({ kind: 'applied', result: { read: [payload.notificationId] } });
  expect(by('u-2')).toMatchObject({ kind: 'applied', result: { read: [] } });
});
