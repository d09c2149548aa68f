// Listening to the client instead of a channel: each event once, whatever brings it.
import type { DownFrame, RezEvents } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { createClientOver } from './door.ts';
import { createMemoryPositions } from './positions.ts';
import { ManualClock, ScriptedGateway, subscribed } from './scripted.fixture.ts';

const setUp = () => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  const positions = createMemoryPositions();
  const client = createClientOver(() => gateway.transport)<RezEvents>({
    url: 'ws://gateway.test',
    token: 'token',
    clock,
    positions,
    random: () => 0.5,
  });
  const heard: string[] = [];
  client.on('order.status_changed', ({ data, channel, sequence }) =>
    heard.push(`${data.status} of ${channel} at ${sequence}`),
  );
  return { gateway, clock, positions, client, heard };
};

const changed = (ref: number, sequence: number, status: string, timeMs = 5): DownFrame => ({
  kind: 'event',
  ref,
  sequence,
  timeMs,
  type: 'order.status_changed',
  data: { orderId: 'o-1', status },
});

const twoChannels = () => {
  const bench = setUp();
  bench.client.subscribe('order:o-1');
  bench.client.subscribe('user:u-1');
  bench.client.connect();
  const link = bench.gateway.welcome();
  link.send(subscribed(1, 'order:o-1', { streams: [[1, 'e1']] }), subscribed(2, 'user:u-1', { streams: [[2, 'e1']] }));
  return { ...bench, link };
};

test('an event of two channels is heard once, from the first that brings it', () => {
  const { link, heard } = twoChannels();
  link.send(changed(2, 1, 'ready'), changed(1, 1, 'ready'), changed(1, 2, 'delivered'), changed(2, 2, 'delivered'));

  expect(heard).toEqual(['ready of user:u-1 at 1', 'delivered of order:o-1 at 2']);
});

test('each channel’s own listeners still hear all of it, and `event` is every type', () => {
  const { client, link } = twoChannels();
  const own: string[] = [];
  const all: string[] = [];
  for (const name of ['order:o-1', 'user:u-1'])
    client.subscription(name)!.on('order.status_changed', ({ channel }) => own.push(channel));
  client.on('event', ({ type }) => all.push(type));
  link.send(changed(2, 1, 'ready'), changed(1, 1, 'ready'));
  link.send({ kind: 'ephemeral', channel: 'user:u-1', type: 'chat.typing', data: {} });

  expect(own).toEqual(['user:u-1', 'order:o-1']);
  expect(all).toEqual(['order.status_changed', 'chat.typing']);
});

test('what is told again after a reset is heard again, and another event of a reused sequence is another one', () => {
  const { client, link, heard } = twoChannels();
  link.send(changed(1, 1, 'preparing'), changed(1, 2, 'ready'));
  link.send({ kind: 'reset', channel: 'order:o-1', reason: 'rolled_back', streams: [[3, 'e1']], position: 'k' });
  link.send(changed(3, 1, 'preparing'), changed(3, 2, 'cancelled', 6), changed(2, 2, 'cancelled', 6));

  expect(client.counts.duplicates).toBe(0);
  expect(heard).toEqual([
    'preparing of order:o-1 at 1',
    'ready of order:o-1 at 2',
    'preparing of order:o-1 at 1',
    'cancelled of order:o-1 at 2',
  ]);
});

test('a channel that the gateway joins has been heard if the client is listened to', () => {
  const { client, clock, gateway, heard, positions } = setUp();
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, 'user:u-1', { streams: [[1, 'e1']] }), changed(1, 7, 'ready'));
  clock.advance(1_000);

  expect(heard).toEqual(['ready of user:u-1 at 7']);
  expect(positions.load('user:u-1')).toContain('e1.7.');
  client.subscribe('user:u-1');
  expect(link.received.filter(({ kind }) => kind === 'subscribe')).toEqual([]);
});

test('one that throws is reported, and costs nobody the event', () => {
  const { client, link, heard } = twoChannels();
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  client.on('order.status_changed', () => {
    throw new Error('view');
  });
  const stop = client.on('order.status_changed', () => heard.push('second'));
  link.send(changed(1, 1, 'ready'));
  stop();
  link.send(changed(1, 2, 'delivered'));

  expect(errors).toEqual(['listener_threw', 'listener_threw']);
  expect(heard).toEqual(['ready of order:o-1 at 1', 'second', 'delivered of order:o-1 at 2']);
});

test('what is remembered is bounded', () => {
  const { link, heard } = twoChannels();
  for (let sequence = 1; sequence <= 5_000; sequence++) link.send(changed(1, sequence, 'x'));
  // As far apart as this two channels of one stream are two.
  link.send(changed(2, 1, 'x'), changed(2, 5_000, 'x'));

  expect(heard).toHaveLength(5_001);
});
