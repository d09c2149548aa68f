// A test per row of the domain's table of old shapes, old commands and old rooms, in both directions.
import { describe, expect, test } from 'vitest';
import { mustCompileCatalogue } from '../catalogue/compile.ts';
import { compileLegacy, firstOfSync, oldReply, oldSyncResponse, type CanonicalRequest } from '../catalogue/legacy.ts';
import { rez } from './catalogue.ts';
import { ORDER_STATUSES } from './order-statuses.ts';

const { events, requests, rooms } = compileLegacy(mustCompileCatalogue(rez));
const at = '2026-03-01T12:00:00.000Z';

const subscribe = (...channels: readonly string[]): CanonicalRequest => ({ kind: 'subscribe', channels });
const unsubscribe = (...channels: readonly string[]): CanonicalRequest => ({ kind: 'unsubscribe', channels });
const command = (name: string, data: Record<string, unknown>): CanonicalRequest => ({ kind: 'command', name, data });

describe('names of events', () => {
  test.each([
    ['order.status_changed', 'order:status_update', 'order.statusChanged'],
    ['order.location_updated', 'order:location_update', 'delivery.locationUpdated'],
    ['order.eta_updated', 'order:eta_update'],
    ['chat.message', 'chat:message', 'message:new'],
    ['chat.typing', 'chat:typing'],
    ['chat.read', 'chat:read', 'message:read'],
    ['chat.agent_status', 'chat:agent_status'],
    ['wallet.balance_updated', 'wallet.balanceUpdated'],
    ['wallet.coins_expiring', 'wallet.coinsExpiring'],
    ['promotion.flash_sale_started', 'promotion.flashSaleStarted'],
    ['promotion.stock_update', 'promotion.stockUpdate'],
    ['dashboard.new_order', 'dashboard.newOrder'],
  ])('%s is also %s %s', (type, ...aliases) => {
    expect(events.namesOf(type).slice(0, aliases.length)).toEqual(aliases);
    for (const alias of aliases) expect(events.typeOf(alias)).toBe(type);
  });

  test.each([
    ['cart.item_reserved', ['cart:item_reserved', 'cart.itemReserved']],
    ['order.location_updated', ['order:location_updated', 'order.locationUpdated']],
    ['delivery.arrived', ['delivery:arrived']],
  ])('%s has names in both dialects: %j', (type, names) => {
    expect(events.namesOf(type)).toEqual(expect.arrayContaining(names));
    for (const name of [type, ...names]) expect(events.typeOf(name)).toBe(type);
    expect(new Set(events.namesOf(type)).size).toBe(events.namesOf(type).length);
    expect(events.namesOf(type)).not.toContain(type);
  });

  test('a name that nobody has is nothing, either way', () => {
    for (const name of ['order:gone', 'constructor', '', '__proto__']) {
      expect([events.typeOf(name), events.toOld(name, {}), events.fromOld(name, {}), events.namesOf(name)]).toEqual([
        undefined,
        [],
        undefined,
        [],
      ]);
    }
  });

  test('a canonical name keeps its shape', () => {
    const data = { orderId: 'o-1', status: 'ready', estimatedDelivery: 'soon', timestamp: at };

    expect(events.toOld('order.status_changed', data)).toEqual([data]);
    expect(events.fromOld('order.status_changed', data)).toEqual({ type: 'order.status_changed', data });
  });
});

describe('shapes of events', () => {
  const partner = { name: 'Ada', phone: '+1' };

  test('order.statusChanged has the estimate and the partner in metadata', () => {
    const data = { orderId: 'o-1', status: 'ready', estimatedDelivery: at, deliveryPartner: partner, timestamp: at };
    const old = {
      orderId: 'o-1',
      status: 'ready',
      metadata: { estimatedDelivery: at, deliveryPartner: partner },
      timestamp: at,
    };

    expect(events.toOld('order.statusChanged', data)).toEqual([old]);
    expect(events.fromOld('order.statusChanged', old)).toEqual({ type: 'order.status_changed', data });
  });

  test('order.statusChanged has no metadata without either, and keeps what else is in it', () => {
    const bare = { orderId: 'o-1', status: 'ready', timestamp: at };
    const rich = { ...bare, metadata: { estimatedDelivery: at, lane: 3 } };

    expect(events.toOld('order.statusChanged', bare)).toEqual([bare]);
    expect(events.fromOld('order.statusChanged', bare)?.data).toEqual(bare);
    expect(events.fromOld('order.statusChanged', rich)?.data).toEqual({
      ...bare,
      estimatedDelivery: at,
      metadata: { lane: 3 },
    });
    expect(events.toOld('order.statusChanged', events.fromOld('order.statusChanged', rich)!.data)).toEqual([rich]);
  });

  test.each(ORDER_STATUSES)('order:status_update of %s has a message in any case', (status) => {
    const data = { orderId: 'o-1', status, timestamp: at };
    const [old] = events.toOld('order:status_update', data);

    expect(old).toEqual({ ...data, message: expect.stringMatching(/^Your order .{6,}/) });
    expect(old!['message']).not.toContain('_');
    expect(events.fromOld('order:status_update', old!)).toEqual({ type: 'order.status_changed', data });
    expect(events.toOld('order:status_update', { ...data, message: 'Two minutes!' })).toEqual([
      { ...data, message: 'Two minutes!' },
    ]);
    expect(events.fromOld('order:status_update', { ...data, message: 'Two minutes!' })?.data['message']).toBe(
      'Two minutes!',
    );
  });

  test('order:status_update of a status that is not known yet has a message too', () => {
    for (const status of ['on_the_roof', 'constructor']) {
      const [old] = events.toOld('order:status_update', { orderId: 'o-1', status, timestamp: at });

      expect(old!['message']).toBe(`Your order is ${status.replaceAll('_', ' ')}`);
    }
  });

  test('delivery.locationUpdated has the distance as distanceRemaining, and the arrival as text', () => {
    const data = {
      orderId: 'o-1',
      location: { latitude: 1, longitude: 2 },
      distanceToDestination: 1.5,
      estimatedArrival: '2026-03-01T12:14:20.000Z',
      timestamp: at,
    };
    const old = {
      orderId: 'o-1',
      location: { latitude: 1, longitude: 2 },
      distanceRemaining: 1.5,
      estimatedArrival: '15 minutes',
      timestamp: at,
    };

    expect(events.toOld('delivery.locationUpdated', data)).toEqual([old]);
    expect(events.fromOld('delivery.locationUpdated', old)).toEqual({
      type: 'order.location_updated',
      data: { ...data, estimatedArrival: '15 minutes' },
    });
    expect(events.toOld('order:location_update', data)).toEqual([data]);
  });

  test.each([
    ['2026-03-01T12:00:30.000Z', '1 minute'],
    ['2026-03-01T11:00:00.000Z', '0 minutes'],
    ['2026-03-01T13:00:00.000Z', '60 minutes'],
    ['any moment', 'any moment'],
    ['2026-99-99T00:00:00Z', '2026-99-99T00:00:00Z'],
  ])('an arrival of %s is told as %s', (estimatedArrival, told) => {
    expect(events.toOld('delivery.locationUpdated', { orderId: 'o-1', estimatedArrival, timestamp: at })).toEqual([
      { orderId: 'o-1', estimatedArrival: told, timestamp: at },
    ]);
  });

  test('message:read is one per message, and says who as userId', () => {
    const data = { chatId: 'c-1', messageIds: ['m-1', 'm-2'], readBy: 'u-1', timestamp: at };

    expect(events.toOld('message:read', data)).toEqual([
      { chatId: 'c-1', messageId: 'm-1', userId: 'u-1', timestamp: at },
      { chatId: 'c-1', messageId: 'm-2', userId: 'u-1', timestamp: at },
    ]);
    expect(events.fromOld('message:read', { messageId: 'm-1', userId: 'u-1' })).toEqual({
      type: 'chat.read',
      data: { messageIds: ['m-1'], readBy: 'u-1' },
    });
    expect(events.toOld('chat:read', data)).toEqual([data]);
  });
});

describe('subscriptions', () => {
  test.each([
    ['order', { orderId: 'o-1' }, 'order:o-1'],
    ['chat', { chatId: 'c-1' }, 'chat:c-1'],
    ['feed', {}, 'feed'],
    ['feed', undefined, 'feed'],
    ['leaderboard', { period: 'daily' }, 'leaderboard:daily'],
    ['leaderboard', {}, 'leaderboard'],
    ['cart', { cartId: 'cart-u-1' }, 'cart:cart-u-1'],
    ['cart', undefined, 'cart'],
    ['product', { productId: 'p-1' }, 'product:p-1'],
    ['store', { storeId: 's-1' }, 'store:s-1'],
  ])('subscribe: and unsubscribe: %s %j are about %s', (topic, data, channel) => {
    expect(requests.fromOld({ name: `subscribe:${topic}`, data })).toEqual(subscribe(channel));
    expect(requests.fromOld({ name: `unsubscribe:${topic}`, data })).toEqual(unsubscribe(channel));
    expect(requests.toOld(subscribe(channel))).toContainEqual({ name: `subscribe:${topic}`, data: data ?? {} });
    expect(requests.toOld(unsubscribe(channel))).toContainEqual({ name: `unsubscribe:${topic}`, data: data ?? {} });
  });

  test('order:subscribe and order:unsubscribe take a bare id', () => {
    expect(requests.fromOld({ name: 'order:subscribe', data: 'o-1' })).toEqual(subscribe('order:o-1'));
    expect(requests.fromOld({ name: 'order:unsubscribe', data: 'o-1' })).toEqual(unsubscribe('order:o-1'));
    expect(requests.toOld(subscribe('order:o-1'))).toContainEqual({ name: 'order:subscribe', data: 'o-1' });
    expect(requests.toOld(unsubscribe('order:o-1'))).toContainEqual({ name: 'order:unsubscribe', data: 'o-1' });
  });

  test('room:join is answered in its callback', () => {
    expect(requests.fromOld({ name: 'room:join', data: { roomId: 'order-1' } })).toEqual(
      subscribe('order:1', 'order:order-1'),
    );
    expect(requests.toOld(subscribe('order:1'))).toContainEqual({ name: 'room:join', data: { roomId: 'order-1' } });
    expect(oldReply('room:join', { ok: true })).toEqual({ kind: 'ack', data: { success: true } });
    expect(oldReply('room:join', { ok: false })).toEqual({ kind: 'ack', data: { error: 'Unauthorized' } });
  });

  test('join is answered by an event, if it is refused', () => {
    expect(requests.fromOld({ name: 'join', data: 'order:1' })).toEqual(subscribe('order:1', 'order:order-1'));
    expect(requests.toOld(subscribe('order:1'))).toContainEqual({ name: 'join', data: 'order-1' });
    expect(oldReply('join', { ok: true })).toBeUndefined();
    expect(oldReply('join', { ok: false })).toEqual({
      kind: 'event',
      name: 'error',
      data: { message: 'Unauthorized room access' },
    });
  });

  test('sync:request is a subscription with a start time', () => {
    const request = { kind: 'sync', since: at } as const;
    const now = Date.parse(at) + 5_000;

    expect(requests.fromOld({ name: 'sync:request', data: { lastSyncTimestamp: at } })).toEqual(request);
    expect(requests.toOld(request)).toEqual([{ name: 'sync:request', data: { lastSyncTimestamp: at } }]);
    expect([firstOfSync(at, now), firstOfSync(Date.parse(at), now), firstOfSync(now + 9, now)]).toEqual([
      { sinceMs: 5_000 },
      { sinceMs: 5_000 },
      { sinceMs: 0 },
    ]);
    expect(oldSyncResponse([{ name: 'chat:message', data: { text: 'hi' } }], at)).toEqual({
      kind: 'event',
      name: 'sync:response',
      data: { events: [{ event: 'chat:message', data: { text: 'hi' } }], timestamp: at },
    });
  });
});

describe('rooms', () => {
  test.each([
    ['order-17', 'order:17'],
    ['order:17', 'order:17'],
    ['chat-c1', 'chat:c1'],
    ['chat:c1', 'chat:c1'],
    ['activity_9', 'activity:9'],
    ['flash_sale:7', 'flash_sale:7'],
  ])('%s is %s', (room, channel) => {
    expect(rooms.channelsOf(room)[0]).toBe(channel);
    expect(rooms.roomsOf(channel)).toContain(room);
  });

  test.each(['sale-7', '7', 'flash_sale:7', 'flash_sale-7', 'flash_sale_7', 'sale_7'])(
    "a sale's room has its id with or without its own prefix: %s",
    (id) => {
      expect(rooms.channelsOf(`flash_sale:${id}`)).toEqual(
        expect.arrayContaining(['flash_sale:7', 'flash_sale:sale-7']),
      );
    },
  );

  test("the room of a customer's own support chat may be its id", () => {
    expect(rooms.channelsOf('chat-u-1')).toEqual(['chat:u-1', 'chat:chat-u-1']);
    expect(rooms.channelsOf('chat-chat-u-1')[0]).toBe('chat:chat-u-1');
  });

  test('a channel without rooms of its own is known by its name', () => {
    expect(rooms.channelsOf('user:u-1')).toEqual(['user:u-1']);
    expect(rooms.channelsOf('broadcast')).toEqual(['broadcast']);
    expect(rooms.channelsOf('cart')).toEqual(['cart']);
    expect(rooms.roomsOf('user:u-1')).toEqual([]);
  });

  test.each([
    '',
    'order',
    'order-',
    'order:',
    'order:a b',
    'order-a.b',
    'order-*',
    'order->',
    'x'.repeat(600),
    'gone:1',
  ])('%j is no room', (room) => {
    expect(rooms.channelsOf(room)).toEqual([]);
  });
});

describe('commands', () => {
  const message = { chatId: 'c-1', message: 'hi', attachments: [], timestamp: at };

  test('chat:send_message', () => {
    expect(requests.fromOld({ name: 'chat:send_message', data: message })).toEqual(
      command('chat.send_message', message),
    );
    expect(requests.toOld(command('chat.send_message', message))).toContainEqual({
      name: 'chat:send_message',
      data: message,
    });
  });

  test('message:send has the message as text, and is acknowledged', () => {
    const old = { name: 'message:send', data: { chatId: 'c-1', text: 'hi' } };
    const canonical = command('chat.send_message', { chatId: 'c-1', message: 'hi' });

    expect(requests.fromOld(old)).toEqual(canonical);
    expect(requests.toOld(canonical)).toContainEqual(old);
    expect(oldReply('message:send', { ok: true })).toEqual({ kind: 'ack', data: { success: true } });
  });

  test('chat:typing', () => {
    const data = { chatId: 'c-1', isTyping: false };

    expect(requests.fromOld({ name: 'chat:typing', data })).toEqual(command('chat.typing', data));
    expect(requests.toOld(command('chat.typing', data))).toEqual([{ name: 'chat:typing', data }]);
  });

  test('typing:start says that it starts', () => {
    const canonical = command('chat.typing', { chatId: 'c-1', isTyping: true });

    expect(requests.fromOld({ name: 'typing:start', data: { chatId: 'c-1' } })).toEqual(canonical);
    expect(requests.toOld(canonical)).toContainEqual({ name: 'typing:start', data: { chatId: 'c-1' } });
  });

  test('chat:read', () => {
    const data = { chatId: 'c-1', messageIds: ['m-1'] };

    expect(requests.fromOld({ name: 'chat:read', data })).toEqual(command('chat.read', data));
    expect(requests.toOld(command('chat.read', data))).toEqual([{ name: 'chat:read', data }]);
  });

  test('a canonical name, and a dialect that no app uses, will do', () => {
    for (const name of ['cart.add_item', 'cart:add_item', 'cart.addItem']) {
      expect(requests.fromOld({ name, data: { productId: 'p-1' } })).toEqual(
        command('cart.add_item', { productId: 'p-1' }),
      );
    }
  });
});

test.each<[string, unknown]>([
  ['subscribe:order', undefined],
  ['subscribe:order', { orderId: 17 }],
  ['subscribe:order', { orderId: 'a:b' }],
  ['subscribe:order', { orderId: 'a.*' }],
  ['subscribe:order', Object.create({ orderId: 'o-1' })],
  ['subscribe:product', {}],
  ['subscribe:gone', {}],
  ['subscribe:constructor', {}],
  ['subscribe', {}],
  ['order:subscribe', ''],
  ['order:subscribe', 'a b'],
  ['order:subscribe:x', 'o-1'],
  ['room:join', { roomId: 5 }],
  ['room:join', null],
  ['join', undefined],
  ['join', 'nowhere-1'],
  ['sync:request', { lastSyncTimestamp: 'yesterday' }],
  ['sync:request', { lastSyncTimestamp: Number.NaN }],
  ['sync:request', 'now'],
  ['chat:send_message', 'hi'],
  ['chat:send_message', ['hi']],
  ['chat:gone', {}],
  ['', {}],
  [7 as unknown as string, {}],
])('nonsense is nothing: %j %j', (name, data) => {
  expect(requests.fromOld({ name, data })).toBeUndefined();
});

test('what the catalogue does not know has no old name', () => {
  expect(requests.toOld(subscribe('gone:1'))).toEqual([]);
  expect(requests.toOld(subscribe('order'))).toEqual([]);
  expect(requests.toOld(command('gone.away', {}))).toEqual([]);
});
