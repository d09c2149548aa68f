// I9 and I2: what producers publish by mistake or on purpose, beside good events of the same and of other channels. It is
// counted and logged, it reaches nobody, and it takes no good event with it.
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect } from 'vitest';
import { type BadPayload, malformedPayloads, misfitPayloads, oddPayloads } from '../kit/bad-payloads.ts';
import { type StreamFilters, customerOrderFilters, userFilters } from '../kit/channel-filters.ts';
import { assertComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { type Gateway, startGateway } from '../kit/gateway.ts';
import {
  ORDER_STREAM,
  PAYMENT_STREAM,
  type OrderEventType,
  type StoredEvent,
  orderPayload,
  orderSubject,
  publishEvent,
} from '../kit/order-events.ts';
import { sharedGateway } from '../kit/shared-gateway.ts';
import { type StreamTruth, type TrueEvent, readStreams } from '../kit/stream-truth.ts';
import { matchesSubject } from '../kit/subject-match.ts';
import { customerToken } from '../kit/token.ts';

const test = sharedGateway();
const passTest = sharedGateway({ SLUICE_ON_INVALID: 'pass' });
const uncheckedTest = sharedGateway({ SLUICE_VALIDATE: 'off' });

let users = 0;

/** A customer with two orders, so that the channel of the one has good events of the other beside the bad one. */
type Truths = readonly StreamTruth[];
const truthOf = async (connection: NatsConnection): Promise<Truths> =>
  await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);

class Customer {
  readonly userId = `u-${(users += 1)}`;
  readonly bad: StoredEvent[] = [];
  readonly #good: StoredEvent[] = [];

  get channels(): { channel: string; filters: StreamFilters[] }[] {
    return [
      ...['o-1', 'o-2'].map((orderId) => ({
        channel: `order:${orderId}`,
        filters: customerOrderFilters(this.userId, orderId),
      })),
      { channel: `user:${this.userId}`, filters: userFilters(this.userId) },
    ];
  }

  /** Publishes all of it at once: JetStream stores it in this order, and the gateway reads it in one go. */
  async burst(connection: NatsConnection, payload: Uint8Array, subject = this.subject('o-1')): Promise<StoredEvent> {
    const js = jetstream(connection);
    const good = (orderId: string, type: OrderEventType, mark: number): Promise<StoredEvent> => {
      const ids = { orderId, userId: this.userId };
      return publishEvent(js, orderSubject(type, ids), orderPayload(type, ids, mark));
    };
    const before = [good('o-2', 'order.status_changed', 1), good('o-1', 'order.status_changed', 2)];
    const publishing = publishEvent(js, subject, payload);
    const after = [
      good('o-1', 'order.status_changed', 3),
      good('o-1', 'payment.confirmed', 4),
      good('o-2', 'order.status_changed', 5),
    ];
    this.#good.push(...(await Promise.all([...before, ...after])));
    const bad = await publishing;
    this.bad.push(bad);
    return bad;
  }

  subject(orderId: string): string {
    return orderSubject('order.status_changed', { orderId, userId: this.userId });
  }

  /** A client with all channels, subscribed in one message, with everything from the beginning. */
  async open(url: string, encoding: 'json' | 'msgpack'): Promise<FrameClient> {
    const client = await FrameClient.open({ url, encoding, token: await customerToken(this.userId) });
    client.send(
      ...this.channels.map(({ channel }) => ({
        kind: 'subscribe' as const,
        id: client.nextId(),
        channel,
        first: 'all' as const,
      })),
    );
    for (const { channel } of this.channels) {
      await eventually(() => client.recorder.isLive(channel), { what: `${channel} live` });
    }
    return client;
  }

  /** All clients have everything stored but what must be refused, in order, each once, on every channel. */
  async expectComplete(truths: Truths, clients: readonly FrameClient[], isBadRefused = true): Promise<void> {
    const isRefused = ({ sequence, subject }: TrueEvent): boolean =>
      isBadRefused && this.bad.some((bad) => bad.sequence === sequence && bad.subject === subject);
    for (const { recorder } of clients) {
      for (const { channel, filters } of this.channels) {
        for (const last of this.#good.filter(({ subject }) => isOf(filters, subject))) {
          await eventually(() => recorder.has(channel, last), { what: `${last.subject} on ${channel}` });
        }
        assertComplete(recorder, channel, truths, { filters, first: 'all', isRefused });
      }
    }
  }
}

const isOf = (filters: readonly StreamFilters[], subject: string): boolean =>
  filters.some(({ subjects }) => subjects.some((filter) => matchesSubject(filter, subject)));

const refusedCount = async (gateway: Gateway, reason: string): Promise<number> =>
  (await gateway.metrics()).sum('sluice_payloads_refused_total', { reason });

/** Live and catching up, in both encodings, around one bad event. */
const expectHarmless = async (
  { gateway, connection }: { gateway: Gateway; connection: NatsConnection },
  { payload, reason }: BadPayload,
  isDelivered: boolean,
): Promise<void> => {
  const customer = new Customer();
  using json = await customer.open(gateway.url, 'json');
  using msgpack = await customer.open(gateway.url, 'msgpack');
  const before = await refusedCount(gateway, reason);

  await customer.burst(connection, payload);

  const truths = await truthOf(connection);
  await customer.expectComplete(truths, [json, msgpack], !isDelivered);
  using lateJson = await customer.open(gateway.url, 'json');
  using lateMsgpack = await customer.open(gateway.url, 'msgpack');
  await customer.expectComplete(truths, [lateJson, lateMsgpack], !isDelivered);
  // Once per event, however many clients, channels and encodings it would have gone to.
  expect(await refusedCount(gateway, reason)).toBe(before + 1);
};

describe('malformed payloads are refused', () => {
  test.for(malformedPayloads)(
    '%s',
    async ([, bad], { gateway, connection }) => await expectHarmless({ gateway, connection }, bad, false),
  );
});

describe('payloads that do not fit their schema', () => {
  test.for(misfitPayloads)(
    'are dropped: %s',
    async ([, bad], { gateway, connection }) => await expectHarmless({ gateway, connection }, bad, false),
  );

  passTest.for(misfitPayloads)(
    'are passed, where that is configured, and counted all the same: %s',
    async ([, bad], { gateway, connection }) => await expectHarmless({ gateway, connection }, bad, true),
  );

  passTest.for(malformedPayloads.filter(([name]) => /frames|closes|200,000|nothing/.test(name)))(
    'malformed ones are not passed: %s',
    async ([, bad], { gateway, connection }) => await expectHarmless({ gateway, connection }, bad, false),
  );

  uncheckedTest(
    'are not looked for where validation is off; malformed ones are refused there, too',
    async ({ gateway, connection }) => {
      const customer = new Customer();
      using client = await customer.open(gateway.url, 'msgpack');

      await customer.burst(connection, Buffer.from('{"status":7}'));

      await customer.expectComplete(await truthOf(connection), [client], false);
      expect(await refusedCount(gateway, 'schema')).toBe(0);
      await expectHarmless({ gateway, connection }, { payload: Buffer.from('{'), reason: 'malformed' }, false);
    },
  );
});

describe('unusual payloads are delivered', () => {
  test.for(oddPayloads)('%s', async ([, payload], { gateway, connection }) => {
    const customer = new Customer();
    using json = await customer.open(gateway.url, 'json');
    using msgpack = await customer.open(gateway.url, 'msgpack');
    const before = (await gateway.metrics()).sum('sluice_payloads_refused_total');

    const stored = await customer.burst(connection, payload);

    for (const client of [json, msgpack]) {
      await customer.expectComplete(await truthOf(connection), [client], false);
      expect(client.recorder.has('order:o-1', stored)).toBe(true);
    }
    const data = [json, msgpack].map(
      ({ recorder }) => recorder.events('order:o-1').find(({ sequence }) => sequence === stored.sequence)!.data,
    );
    expect(data[0]).toEqual(data[1]);
    expect((await gateway.metrics()).sum('sluice_payloads_refused_total')).toBe(before);
  });
});

describe('subjects', () => {
  test('a type that the catalogue does not know is dropped', async ({ gateway, connection }) => {
    const customer = new Customer();
    using client = await customer.open(gateway.url, 'json');
    const before = await refusedCount(gateway, 'unknown_type');

    await customer.burst(connection, Buffer.from('{}'), `order.m-1.${customer.userId}.o-1.exploded`);

    await customer.expectComplete(await truthOf(connection), [client]);
    expect(await refusedCount(gateway, 'unknown_type')).toBe(before + 1);
  });

  passTest(
    'or passed under its name, where that is configured, whatever signs are in it',
    async ({ gateway, connection }) => {
      const customer = new Customer();
      using json = await customer.open(gateway.url, 'json');
      using msgpack = await customer.open(gateway.url, 'msgpack');
      const name = 'ex"ploded\\],{é\u{1f680}';

      const stored = await customer.burst(
        connection,
        Buffer.from('{"a":1}'),
        `order.m-1.${customer.userId}.o-1.${name}`,
      );

      for (const client of [json, msgpack]) {
        await customer.expectComplete(await truthOf(connection), [client], false);
        const event = client.recorder.events('order:o-1').find(({ sequence }) => sequence === stored.sequence);
        expect(event).toMatchObject({ type: `order.${name}`, data: { a: 1 } });
      }
    },
  );

  test('subjects of another form than their family’s reach nobody', async ({ gateway, connection }) => {
    const customer = new Customer();
    using client = await customer.open(gateway.url, 'json');
    const js = jetstream(connection);
    const data = orderPayload('order.status_changed', { orderId: 'o-1' }, 0);

    for (const subject of [
      'order.x',
      `order.m-1.${customer.userId}.o-1`,
      `order.m-1.${customer.userId}.o-1.status_changed.more`,
      `order.m-1.m-1.${customer.userId}.o-1.status_changed`,
      `delivery.${'m'.repeat(3_000)}.${customer.userId}`,
    ]) {
      await publishEvent(js, subject, data);
    }
    const good = await publishEvent(js, customer.subject('o-1'), data);

    await eventually(() => client.recorder.has('order:o-1', good));
    expect(client.recorder.total()).toBe(2);
  });
});

test('each refusal is logged with its subject and sequence, and a flood of them does not flood the log', async ({
  nats,
  connection,
}) => {
  await using gateway = await startGateway({ natsUrl: nats.url });
  const customer = new Customer();
  using client = await customer.open(gateway.url, 'json');
  const logged = (): Record<string, unknown>[] => gateway.logRecords().filter(({ msg }) => msg === 'payload refused');
  const malformed = await customer.burst(connection, Buffer.from('{'));
  const misfit = await customer.burst(connection, Buffer.from('{}'));

  await eventually(() => logged().length === 2);
  expect(logged()).toMatchObject([
    { level: 'warn', subject: malformed.subject, sequence: malformed.sequence, refusal: 'malformed', action: 'drop' },
    { level: 'warn', subject: misfit.subject, sequence: misfit.sequence, refusal: 'schema', action: 'drop' },
  ]);
  expect(logged().map(({ reason }) => reason)).toEqual([expect.any(String), expect.any(String)]);

  const js = jetstream(connection);
  const flood = await Promise.all(
    Array.from({ length: 500 }, () => publishEvent(js, customer.subject('o-1'), Buffer.from('{'))),
  );
  customer.bad.push(...flood);

  await eventually(async () => (await refusedCount(gateway, 'malformed')) === 501);
  expect(logged().length).toBeLessThan(60);
  await customer.expectComplete(await truthOf(connection), [client]);
});

test('what was refused live is refused in a cold read, and the events around it come', async ({ nats, connection }) => {
  const customers = [...malformedPayloads, ...misfitPayloads].map(() => new Customer());
  const payloads = [...malformedPayloads, ...misfitPayloads].map(([, { payload }]) => payload);
  for (const [index, customer] of customers.entries()) await customer.burst(connection, payloads[index]!);
  await using gateway = await startGateway({ natsUrl: nats.url, env: { SLUICE_TAIL_SECONDS: '0' } });

  const truths = await truthOf(connection);
  for (const [index, customer] of customers.entries()) {
    using client = await customer.open(gateway.url, index % 2 === 0 ? 'json' : 'msgpack');
    await customer.expectComplete(truths, [client]);
  }

  const metrics = await gateway.metrics();
  expect(metrics.sum('sluice_catch_up_events_total', { source: 'cold' })).toBeGreaterThan(customers.length);
  expect(metrics.sum('sluice_payloads_refused_total')).toBeGreaterThanOrEqual(customers.length);
  expect(metrics.sum('sluice_tail_first_sequence', { stream: ORDER_STREAM })).toBeGreaterThan(1);
}, 60_000);
