// What fits the schemas and is odd all the same, through the gateway to every service: ids longer than a subject's token,
// names that every object has, the largest numbers. Each command gets its outcome, and no service is held up by one.
import type { NatsConnection } from '@nats-io/transport-node';
import { SERVICES } from '@sluice/producers';
import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { startGateway } from '../kit/gateway.ts';
import { readOutcomes, serviceTest as test } from '../kit/services.ts';
import { secretIssuer } from '../kit/token.ts';

const ODD_IDS = ['😀'.repeat(128), '__proto__', 'constructor', 'a:b', '$JS', 'x'.repeat(128), 'ü'];

/** Every stored command, its ids odd and its numbers at their ends. */
const oddCommands = (id: string, most: boolean): readonly (readonly [string, Record<string, unknown>])[] => [
  ['chat.send_message', { chatId: id, message: 'hi' }],
  ['chat.read', { chatId: id, messageIds: [id] }],
  ['cart.add_item', { productId: id, quantity: most ? 1_000 : 1, cartId: id }],
  ['cart.add_item', { productId: id }],
  ['cart.update_item', { itemId: id, quantity: most ? 1_000 : 1 }],
  ['cart.remove_item', { itemId: id }],
  ['feed.like_post', { postId: id }],
  ['feed.comment_post', { postId: id, comment: '__proto__' }],
  ['feed.follow_user', { userId: id }],
  ['activity.create', { title: id.slice(0, 20) }],
  ['activity.join', { activityId: id }],
  ['activity.leave', { activityId: id }],
  ['activity.like', { activityId: id }],
  ['activity.unlike', { activityId: id }],
  ['order.place', { merchantId: id, items: [{ productId: id, quantity: most ? 1_000 : 1 }] }],
  ['order.cancel', { orderId: id, reason: 'no' }],
  ['order.update_status', { orderId: id, status: 'ready' }],
  ['delivery.report_location', { orderId: id, location: { latitude: -90, longitude: 180 } }],
  ['promotion.buy', { saleId: id, productId: id }],
  ['wallet.redeem', { amount: most ? 1e9 : 1 }],
  ['notification.mark_read', { notificationIds: [id] }],
];

const sendAll = async (client: FrameClient, id: string, at: number): Promise<number> => {
  const sent = oddCommands(id, at % 2 === 0).map(([name, data], index) => {
    const request = client.nextId();
    client.send({ kind: 'command', id: request, commandId: `c-${at}-${index}`, name, data });
    return { request, name };
  });
  let stored = 0;
  for (const { request, name } of sent) {
    const answer = await Promise.race([
      client.next('ok', (frame) => frame.id === request),
      client.next('error', (frame) => frame.id === request),
    ]);
    if (answer.kind === 'ok') stored++;
    else expect([name, answer.code]).toEqual([name, expect.stringMatching(/^(invalid_command|forbidden)$/)]);
  }
  return stored;
};

const open = async (url: string, claims: Record<string, unknown>): Promise<FrameClient> =>
  await FrameClient.open({ url, token: await secretIssuer().sign(claims), encoding: 'msgpack' });

const outcomeCount = async (connection: NatsConnection): Promise<number> => (await readOutcomes(connection)).length;

test('each gets its outcome, and no service has a fault', { timeout: 120_000 }, async ({ nats, connection, run }) => {
  const names = new Set(oddCommands('x', true).map(([name]) => name));
  const stored = [...mustCompileCatalogue(rez).commands.values()].filter(({ effect }) => !effect);
  expect(stored.map(({ name }) => name).filter((name) => !names.has(name))).toEqual(['cart.clear', 'feed.create_post']);
  await using gateway = await startGateway({
    natsUrl: nats.url,
    env: { SLUICE_CATALOGUE: 'rez', SLUICE_REQUEST_BURST: '1000', SLUICE_REQUEST_BURST_PER_USER: '1000' },
  });
  for (const name of Object.keys(SERVICES)) await run(name);
  let count = 0;
  for (const claims of [
    { sub: 'u-1' },
    { sub: '__proto__', name: '' },
    { sub: 'm', role: 'merchant_owner', merchantId: '__proto__' },
    { sub: 'constructor', role: 'delivery_partner' },
  ]) {
    using client = await open(gateway.url, claims);
    for (const [at, id] of ODD_IDS.entries()) count += await sendAll(client, id, at);
  }
  await eventually(async () => (await outcomeCount(connection)) >= count, {
    timeoutMs: 60_000,
    what: `${count} outcomes`,
  });
  expect(await outcomeCount(connection)).toBe(count);
});
