// A link that carries nothing any more and that nobody closed, as when a phone loses its network: both ends notice by
// the silence, each on its own.
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import { startSteadyLoad } from '../kit/order-events.ts';

const test = base.override({ gatewayEnv: { SLUICE_PING_INTERVAL_MS: '1000', SLUICE_HELLO_TIMEOUT_MS: '1000' } });

test.for([
  { what: 'carries nothing', direction: undefined, hasGatewayToNotice: true },
  // The gateway hears the client's close: it is spared the wait.
  { what: 'brings nothing to the client', direction: 'toClient', hasGatewayToNotice: false },
  { what: 'brings nothing to the gateway', direction: 'toTarget', hasGatewayToNotice: true },
] as const)(
  'client and gateway give up a connection that $what, and nothing is lost',
  async ({ direction, hasGatewayToNotice }, { connection, gateway, clientProxy, openClient }) => {
    const audience = await Audience.open(openClient);
    const load = startSteadyLoad(connection, { eventsPerSecond: 300, next: mixedEvent });
    await eventually(() => load.stored.length > 100);
    const clients = [...new Set(audience.seats.map(({ client }) => client))];

    clientProxy.freeze(direction);

    await eventually(() => clients.every(({ states }) => states.includes('reconnecting')), {
      timeoutMs: 20_000,
      what: 'the clients to notice',
    });
    await eventually(async () => (await gateway.metrics()).sum('sluice_subscriptions') === 0, {
      timeoutMs: 20_000,
      what: 'the gateway to let go',
    });
    const noticed = (await gateway.metrics()).sum('sluice_closes_total', { reason: 'pong_timeout' });
    clientProxy.heal();

    await audience.hasSeenMark(load.stored.length);
    await load.stop();
    await audience.expectComplete(connection);
    expect(noticed).toBe(hasGatewayToNotice ? clients.length : 0);
    expect(audience.resets()).toEqual([[], [], [], []]);
    // Nothing of the dead connections is left behind.
    await eventually(async () => (await gateway.metrics()).sum('sluice_connections') === clients.length, {
      what: 'the dead connections to be forgotten',
    });
    expect((await gateway.metrics()).sum('sluice_subscriptions')).toBe(audience.seats.length);
  },
);
