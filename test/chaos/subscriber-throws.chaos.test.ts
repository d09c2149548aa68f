// An application whose callbacks throw: its own trouble, told to it, and nobody else's.
import { ClientError } from '@sluice/client';
import { expect } from 'vitest';
import { mixedEvent, expectSeatsComplete } from '../kit/audience.ts';
import { customerOrderFilters, userFilters } from '../kit/channel-filters.ts';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { startSteadyLoad } from '../kit/order-events.ts';

test('callbacks that throw or reject cost neither an event nor the connection', async ({
  connection,
  clientProxy,
  openClient,
}) => {
  const client = await openClient();
  const reported: ClientError[] = [];
  client.client.on('error', (error) => reported.push(error));
  client.client.on('state', () => {
    throw new Error('a state listener that throws');
  });
  const seats = [
    { client, channel: 'order:o-1', filters: customerOrderFilters('u-1', 'o-1') },
    { client, channel: 'user:u-1', filters: userFilters('u-1') },
  ];
  // Before the recorder: whatever a listener throws must not keep the next one from its event.
  const throwing = client.client.subscribe('order:o-1', { first: 'all' });
  let thrown = 0;
  throwing.on('event', () => {
    thrown += 1;
    throw new Error('an event listener that throws');
  });
  throwing.on('order.status_changed', async () => {
    await Promise.resolve();
    throw new Error('an event listener that rejects');
  });
  for (const name of ['subscribed', 'live', 'reset'] as const) {
    throwing.on(name, () => {
      throw new Error(`a listener of ${name} that throws`);
    });
  }
  client.recorder.follow(throwing);
  client.subscribe('user:u-1', { first: 'all' });
  for (const { channel } of seats) await client.live(channel);
  const load = startSteadyLoad(connection, { eventsPerSecond: 500, next: mixedEvent });
  await eventually(() => thrown > 100);

  clientProxy.cut();

  const before = thrown;
  await eventually(() => thrown > before + 100);
  await load.stop();
  await expectSeatsComplete(connection, seats, { first: 'all' });
  expect(client.states.filter((state) => state === 'connected')).toHaveLength(2);
  expect(new Set(client.errors)).toEqual(new Set(['listener_threw']));
  const causes = reported.map(({ cause }) => (cause as Error).message);
  expect(causes.filter((text) => text === 'an event listener that throws')).toHaveLength(
    client.recorder.count('order:o-1'),
  );
  expect(new Set(causes)).toEqual(
    new Set([
      'a state listener that throws',
      'an event listener that throws',
      'an event listener that rejects',
      'a listener of live that throws',
      'a listener of subscribed that throws',
    ]),
  );
});
