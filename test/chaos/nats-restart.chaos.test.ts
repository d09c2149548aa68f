// The one nats-server goes away and comes back, under load (I1, I2).
import { describe, expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { type SteadyLoad, startSteadyLoad } from '../kit/order-events.ts';

const storedMore = async (load: SteadyLoad, count: number): Promise<void> => {
  const before = load.stored.length;
  await eventually(() => load.stored.length >= before + count, { timeoutMs: 30_000, what: `${count} more events` });
};

describe('everybody gets every event once and in order', () => {
  test.for(['stop', 'kill'] as const)(
    'when nats-server is restarted under load (%s)',
    async (how, { nats, connection, openClient }) => {
      const audience = await Audience.open(openClient);
      const load = startSteadyLoad(connection, { eventsPerSecond: 400, next: mixedEvent });
      await storedMore(load, 200);

      await nats.restart(how);

      await storedMore(load, 200);
      await load.stop();
      await audience.expectComplete(connection);
      expect(audience.resets()).toEqual([[], [], [], []]);
    },
  );

  test('when nats-server stands still for 3 s under load', async ({ nats, connection, openClient, gateway }) => {
    const audience = await Audience.open(openClient);
    const load = startSteadyLoad(connection, { eventsPerSecond: 400, next: mixedEvent });
    await storedMore(load, 200);

    await nats.pause();
    // The readers take two missed heartbeats for a dead consumer, while their connection stays up.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    nats.resume();

    await storedMore(load, 200);
    await load.stop();
    await audience.expectComplete(connection);
    expect(audience.resets()).toEqual([[], [], [], []]);
    expect((await gateway.metrics()).sum('sluice_reader_doubts_total')).toBeGreaterThan(0);
  });

  test('when nats-server is killed twice in a row, before the readers are back', async ({
    nats,
    connection,
    openClient,
    gateway,
  }) => {
    const audience = await Audience.open(openClient);
    const load = startSteadyLoad(connection, { eventsPerSecond: 400, next: mixedEvent });
    await storedMore(load, 200);

    await nats.restart('kill');
    await eventually(() => gateway.logRecords().some(({ kind }) => kind === 'reconnected'));
    await nats.restart('kill');

    await storedMore(load, 200);
    await load.stop();
    await audience.expectComplete(connection);
    expect(audience.resets()).toEqual([[], [], [], []]);
  });
});
