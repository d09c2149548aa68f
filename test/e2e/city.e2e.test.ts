// The producers' command line as processes of their own: the city keeps going through outages and ends when told to.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { createLoadPublisher } from '@sluice/producers';
import { mustCompileCatalogue, rez, typeOfSubject, unpackValue } from '@sluice/schemas';
import { describe, expect, test as base } from 'vitest';
import { eventually, within } from '../kit/eventually.ts';
import { FaultProxy } from '../kit/fault-proxy.ts';
import { type NatsServer, startNatsServer } from '../kit/nats-server.ts';
import { createOrderStreams } from '../kit/order-events.ts';
import { startProcess, type TestProcess } from '../kit/process.ts';
import { createServiceStreams, readEvents } from '../kit/services.ts';
import { readStream, readStreams } from '../kit/stream-truth.ts';

const CLI = fileURLToPath(new URL('../../producers/dist/cli.js', import.meta.url));
const { families } = mustCompileCatalogue(rez);

interface Fixtures {
  nats: NatsServer;
  connection: NatsConnection;
}

const test = base.extend<Fixtures>({
  nats: async ({}, use) => {
    await using nats = await startNatsServer();
    await use(nats);
  },
  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await use(connection);
  },
});

const environment = (url: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  SLUICE_NATS_URL: url,
});

const startCity = (url: string, isReady = /"kind":"running"/, args: readonly string[] = []): Promise<TestProcess> =>
  startProcess({
    name: 'city',
    command: process.execPath,
    args: [CLI, 'city', '--orders', '20', '--seed', '11', ...args],
    env: environment(url),
    isReady: (line) => isReady.test(line),
  });

const forkCity = (url: string): { child: ChildProcess; exited: Promise<number | null> } => {
  const child = fork(CLI, ['city', '--orders', '5'], {
    env: environment(url),
    // Not those of the test runner, which make it load sources.
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return { child, exited: new Promise((resolve) => child.once('exit', resolve)) };
};

const countOf = async (connection: NatsConnection): Promise<number> =>
  (await (await jetstreamManager(connection)).streams.info('ORDER')).state.last_seq;

const grows = async (connection: NatsConnection): Promise<void> => {
  // A server that has just come back does not know its streams at once.
  const before = await eventually(() => countOf(connection));
  await eventually(async () => (await countOf(connection)) > before + 5, { what: 'more events are stored' });
};

describe('the city as a process', () => {
  test('publishes what the catalogue knows, the watched order among it, and ends in order', async ({
    nats,
    connection,
  }) => {
    const city = await startCity(nats.url);
    await grows(connection);
    const exit = await city.stop();

    expect(exit).toEqual({ code: 0, signal: null });
    const running = JSON.parse(city.log().find((line) => line.includes('running'))!) as Record<string, unknown>;
    expect(running).toMatchObject({ source: 'city', orders: 20, rate: 1, seed: 11, watch: 'order:o-17' });
    const events = (await readStreams(connection, ['ORDER', 'PAYMENT'])).flatMap((truth) => truth.events);
    expect(events.filter(({ subject }) => !typeOfSubject(families, subject))).toEqual([]);
    expect(events.some(({ subject }) => subject === 'order.m-1.u-1.o-17.location_updated')).toBe(true);
  });

  test('goes on through a lost connection and a restarted server', async ({ nats, connection }) => {
    await using proxy = await FaultProxy.start({ port: nats.port });
    const city = await startCity(`nats://127.0.0.1:${proxy.port}`);
    try {
      await grows(connection);

      proxy.partition();
      await eventually(() => city.log().some((line) => line.includes('nats_lost')));
      proxy.heal();
      await grows(connection);

      await nats.restart('kill');
      await eventually(() => connection.rtt());
      await grows(connection);
      expect(city.isRunning()).toBe(true);
    } finally {
      await city.stop();
    }
  });

  test('waits for a server that is not there yet', async ({ nats }) => {
    await nats.stop();
    const city = startCity(nats.url);
    await nats.start();
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await (await city).stop();
    expect(await countOf(connection)).toBeGreaterThan(10);
  });

  test('does not outlive its parent', async ({ nats, connection }) => {
    const { child, exited } = forkCity(nats.url);
    try {
      await eventually(async () => (await countOf(connection)) > 5);
      child.disconnect();
      expect(await within(exited, 10_000, 'the city did not end')).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('can be ended while it waits for a server', async ({ nats }) => {
    await using proxy = await FaultProxy.start({ port: nats.port });
    proxy.refuse();
    const { child, exited } = forkCity(`nats://127.0.0.1:${proxy.port}`);
    try {
      await eventually(() => proxy.stats().refused > 0);
      child.kill('SIGTERM');
      expect(await within(exited, 10_000, 'the city did not end')).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('a wrong argument is told with the usage', async ({ nats }) => {
    const outcome = startCity(nats.url, /never/, ['--rate', 'fast']);
    await expect(outcome).rejects.toThrow(/--rate cannot be "fast"[\s\S]*Usage/);
  });
});

describe('the city with its services', () => {
  test('lives: every part of the domain has news, and no service has faults', async ({ nats, connection }) => {
    await createServiceStreams(connection);
    const city = await startCity(nats.url, /"kind":"running","source":"service"/, ['--services', '--rate', '4']);
    const news = [
      ...['CHAT chat.chat-u-1.*.message', 'SOCIAL feed.*.*.new_post', 'SOCIAL feed.*.*.post_liked'],
      ...[
        'SOCIAL leaderboard.daily.everyone.update',
        'SOCIAL leaderboard.*.*.rank_change',
        'SOCIAL activity.*.*.created',
      ],
      ...['SHOP cart.u-1.cart-u-1.sync', 'SHOP product.*.*.price_updated', 'SHOP promotion.*.sale.flash_sale_started'],
      ...['USER wallet.*.balance_updated', 'USER notification.*.created', 'USER notification.*.push_requested'],
      ...['DASHBOARD dashboard.city.new_order', 'DASHBOARD dashboard.city.stats', 'USER command.>'],
    ];
    try {
      for (const line of news) {
        const [stream = '', filter = ''] = line.split(' ');
        await eventually(async () => (await readEvents(connection, stream, filter)).length > 0, {
          ...{ timeoutMs: 60_000, intervalMs: 200, what: `${filter} in ${stream}` },
        });
      }
    } finally {
      await city.stop();
    }
    expect(city.log().filter((line) => line.includes('"kind":"fault"'))).toEqual([]);
  }, 120_000);
});

describe('load', () => {
  const channels = ['o-1', 'o-2', 'o-3'].map((orderId) => ({ merchantId: 'm-1', userId: 'u-1', orderId }));

  test('publishes the count that was asked for, evenly, and says so', async ({ nats, connection }) => {
    const load = await createLoadPublisher({ servers: nats.url, channels, payloadBytes: 300, maxInFlight: 100 });
    try {
      const report = await load.run({ count: 3_000 });
      const second = await load.run({ count: 30, ratePerSecond: 1_000 });

      expect(report).toMatchObject({ events: 3_000, retries: 0, uncertain: 0, lastSequence: 3_000 });
      expect(second).toMatchObject({ events: 30, lastSequence: 3_030 });
      const serials = new Map<string, number[]>();
      const { events } = await readStream(connection, 'ORDER');
      for (const { subject, bytes } of events) {
        const { serial } = unpackValue(bytes) as { serial: number };
        serials.set(subject, [...(serials.get(subject) ?? []), serial]);
      }
      expect(serials.size).toBe(3);
      const counting = Array.from({ length: 1_010 }, (_, index) => index);
      for (const list of serials.values()) expect(list).toEqual(counting);
    } finally {
      await load.close();
    }
  });

  test('sends again what was not acknowledged; with ids each is stored once', async ({ nats, connection }) => {
    await using proxy = await FaultProxy.start({ port: nats.port });
    const servers = `nats://127.0.0.1:${proxy.port}`;
    const load = await createLoadPublisher({
      servers,
      channels,
      payloadBytes: 300,
      maxInFlight: 100,
      messageIds: true,
    });
    try {
      const running = load.run({ count: 20_000 });
      for (const target of [1_000, 5_000, 9_000]) {
        await eventually(async () => (await countOf(connection)) > target);
        proxy.cut();
      }
      const report = await running;
      expect(report.retries).toBeGreaterThan(0);
      expect(report.events).toBe(20_000);
      expect(await countOf(connection)).toBe(20_000);
    } finally {
      await load.close();
    }
  });
});
