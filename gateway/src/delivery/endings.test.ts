// An order is over when its status says so; all of its states are left out then, and nobody else's.
import { packValue } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { createDelivery, ORDERS } from './delivery.fixture.ts';
import { Endings } from './endings.ts';

const { gate } = createDelivery();
const endings = new Endings(ORDERS, (subject, payload) => gate.peek(subject, payload));

const state = (orderId: string, type: string, payload: Uint8Array) => ({
  subject: `order.m-1.u-1.${orderId}.${type}`,
  payload,
});
const status = (value: unknown): Uint8Array => packValue({ orderId: 'o', status: value });
const json = (text: string): Uint8Array => Buffer.from(text);

test.each([
  ['msgpack', status('delivered')],
  ['JSON', json('{"orderId":"o","status":"cancelled"}')],
])('an order that has ended, by %s, goes with all of its states', (_, payload) => {
  const open = [state('o-2', 'created', status('x')), state('o-2', 'status_changed', status('preparing'))];
  const states = [state('o-1', 'created', status('x')), ...open, state('o-1', 'status_changed', payload)];

  expect(endings.withoutEnded(states)).toEqual(open);
});

test.each([
  ['another status', 'status_changed', status('ready')],
  ['an unknown status', 'status_changed', status('teleported')],
  ['a number', 'status_changed', status(1)],
  ['no status', 'status_changed', packValue({})],
  ['a payload that cannot be read', 'status_changed', json('{"status":"delivered"')],
  ['one that is no object', 'status_changed', json('"delivered"')],
  ['an empty one', 'status_changed', json('')],
  ['a type that ends nothing', 'created', status('delivered')],
  ['an unknown type', 'made_up', status('delivered')],
])('%s ends nothing', (_, type, payload) => {
  const states = [state('o-1', type, payload)];

  expect(endings.withoutEnded(states)).toEqual(states);
});
