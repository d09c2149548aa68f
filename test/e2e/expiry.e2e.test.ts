// Events that expire, over real servers: a flash sale is never shown after it ended, whichever way it would have come
// (I2: excepted, and counted).
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect } from 'vitest';
import { consistently, eventually } from '../kit/eventually.ts';
import type { FrameClient } from '../kit/frame-client.ts';
import { startGateway } from '../kit/gateway.ts';
import { MARKET_CATALOGUE, sequencesOf, test } from '../kit/market.ts';

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const startSale = (title: string, endsAt: string): [string, Record<string, string>, unknown] => [
  'sale.started',
  { saleId: title },
  { title, endsAt },
];
const titles = (client: FrameClient): unknown[] =>
  client.recorder.events('sales').map(({ data }) => (data as { title?: string }).title);

describe('the publisher', () => {
  test('names the end in a header and asks the stream for a lifetime', async ({ connection, publisher }) => {
    const manager = await jetstreamManager(connection);
    expect((await manager.streams.info('SALE')).config.allow_msg_ttl).toBe(true);
    expect((await manager.streams.info('RIDE')).config.allow_msg_ttl ?? false).toBe(false);
    const endsAt = inMs(90_500);
    const { sequence } = await publisher.publish(...startSale('long', endsAt));
    const { header } = (await manager.streams.getMessage('SALE', { seq: sequence }))!;

    expect(header.get('expires')).toBe(String(Date.parse(endsAt)));
    expect(header.get('Nats-TTL')).toMatch(/^9[01]s$/);
    const short = await publisher.publish(...startSale('short', inMs(10)));
    await eventually(async () => (await manager.streams.getMessage('SALE', { seq: short.sequence })) === null);
  });

  test('stores what ends later than any server could wait for', async ({ connection, publisher }) => {
    const manager = await jetstreamManager(connection);
    const { sequence } = await publisher.publish(...startSale('forever', '9999-12-31T23:59:59.000Z'));

    expect((await manager.streams.getMessage('SALE', { seq: sequence }))?.header.get('expires')).toBe(
      '253402300799000',
    );
  });

  test('does without where the stream takes no lifetimes', async ({ nats }) => {
    await using connection = await nats.connect();
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'SALE', subjects: ['sale.>'] });
    const { createPublisher } = await import('@sluice/producers');
    const { catalogue } = await import('../kit/market-catalogue.mjs');
    const publisher = await createPublisher({ catalogue, connection });
    for (const title of ['one', 'two'])
      await publisher.publish(...(startSale(title, inMs(60_000)) as [never, never, never]));
    await publisher.close();

    const { header } = (await manager.streams.getMessage('SALE', { seq: 2 }))!;
    expect((await manager.streams.info('SALE')).state.messages).toBe(2);
    expect(header.has('expires')).toBe(true);
    expect(header.has('Nats-TTL')).toBe(false);
  });
});

describe('what has expired', () => {
  test('is shown to nobody: not live, not first, not caught up', async ({
    openFrames,
    publisher,
    gateway,
    connection,
  }) => {
    const before = await openFrames();
    await before.subscribeUntilLive('sales');
    const position = before.positionOf('sales')!;
    // Stored without a lifetime, so that only the gateway can know: by the header, and by the payload alone.
    const js = jetstream(connection);
    const { headers } = await import('@nats-io/transport-node');
    const header = headers();
    header.set('expires', String(Date.now() - 1));
    await js.publish('sale.late.started', JSON.stringify({ title: 'late', endsAt: inMs(60_000) }), { headers: header });
    await js.publish('sale.over.started', JSON.stringify({ title: 'over', endsAt: inMs(-1) }));
    await publisher.publish(...startSale('on', inMs(60_000)));
    await eventually(() => titles(before).includes('on'));
    expect(titles(before)).toEqual(['on']);

    const first = await openFrames({ encoding: 'msgpack' });
    await first.subscribeUntilLive('sales');
    expect(titles(first)).toEqual(['on']);
    const back = await openFrames();
    await back.subscribeUntilLive('sales', { position });
    expect(titles(back)).toEqual(['on']);
    expect((await gateway.metrics()).sum('sluice_events_expired_total')).toBeGreaterThanOrEqual(2);
  });

  test('is not shown by a pod whose tail begins after it', async ({
    publisher,
    connection,
    nats,
    openFrames,
    gateway,
  }) => {
    void gateway;
    const js = jetstream(connection);
    await js.publish('sale.over.started', JSON.stringify({ title: 'over', endsAt: inMs(-1) }));
    await publisher.publish(...startSale('on', inMs(60_000)));
    const env = { SLUICE_CATALOGUE: MARKET_CATALOGUE, SLUICE_TAIL_SECONDS: '0' };
    await using second = await startGateway({ natsUrl: nats.url, env });
    const client = await openFrames({ url: second.url });
    for (const first of ['states', 'all', { last: 10 }]) {
      client.subscribe('sales', { first });
      await eventually(() => client.recorder.isLive('sales'));
      const id = client.nextId();
      client.send({ kind: 'unsubscribe', id, channel: 'sales' });
      await client.next('unsubscribed');
    }

    expect(new Set(titles(client))).toEqual(new Set(['on']));
  });

  test('is over in the tail at its time, while the stream goes on', async ({ openFrames, publisher }) => {
    const live = await openFrames();
    await live.subscribeUntilLive('sales');
    const endsAtMs = Date.now() + 1_500;
    const { sequence } = await publisher.publish(...startSale('brief', new Date(endsAtMs).toISOString()));
    await eventually(() => titles(live).includes('brief'));
    await eventually(() => Date.now() > endsAtMs);
    const after = await publisher.publish('sale.stock', { saleId: 'brief' }, { left: 1 });
    const late = await openFrames();
    await late.subscribeUntilLive('sales', { first: 'all' });
    await eventually(() => sequencesOf(late, 'sales').includes(after.sequence));

    await consistently(() => !sequencesOf(late, 'sales').includes(sequence), { forMs: 200 });
  });
});
