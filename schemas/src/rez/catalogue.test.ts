// The whole domain, row by row: what is a state, a moment, ephemeral; in which stream; by which name.
import { expect, test } from 'vitest';
import { withCanary } from '../catalogue/canary.ts';
import { compileCatalogue, mustCompileCatalogue } from '../catalogue/compile.ts';
import { rez } from './catalogue.ts';

const { families, streams, commands, channels } = mustCompileCatalogue(rez);

test('the reference catalogue has no fault', () => {
  for (const definition of [rez, withCanary(rez, 'CANARY')]) {
    const compiled = compileCatalogue(definition);

    expect(compiled.ok ? [] : compiled.error).toEqual([]);
  }
});

test('types by family: states, moments and what passes by', () => {
  const kinds = [...families.values()].map(({ name, types }) => [
    name,
    [...types].map(([type, { kind }]) => `${type} ${kind.charAt(0)}`).join(', '),
  ]);

  expect(Object.fromEntries(kinds)).toEqual({
    order: 'created s, status_changed s, location_updated s, eta_updated s',
    delivery: 'arrived m',
    payment: 'processing s, confirmed s, failed s, refund_updated s',
    chat: 'message m, read s, agent_status s, typing e',
    feed: 'new_post m, post_liked m, post_commented m, user_followed m',
    leaderboard: 'update s, rank_change m, achievement m',
    activity: 'created s, updated s, deleted s, user_joined m, user_left m, like_added m, like_removed m',
    cart: 'sync s, item_reserved m, item_released m',
    product: 'price_updated s, stock_updated s',
    store: 'status_changed s',
    promotion: 'flash_sale_started s, stock_update s',
    wallet: 'balance_updated s, coins_expiring m',
    notification: 'created m, push_requested m, sound e',
    user: 'online s, offline s',
    command: 'applied m, rejected m',
    dashboard: 'new_order m, stats s',
  });
});

test('subjects and streams, as services and gateway rely on them', () => {
  expect(rez.families.map(({ subject, stream }) => `${stream.name} ${subject}`)).toEqual([
    'ORDER order.{merchantId}.{userId}.{orderId}',
    'ORDER delivery.{merchantId}.{userId}.{orderId}',
    'PAYMENT payment.{merchantId}.{userId}.{orderId}',
    'CHAT chat.{chatId}.{userId}',
    'SOCIAL feed.{userId}.{itemId}',
    'SOCIAL leaderboard.{period}.{userId}',
    'SOCIAL activity.{activityId}.{userId}',
    'SHOP cart.{userId}.{cartId}',
    'SHOP product.{storeId}.{productId}',
    'SHOP store.{storeId}',
    'SHOP promotion.{saleId}.{productId}',
    'USER wallet.{userId}',
    'USER notification.{recipientId}',
    'USER user.{userId}',
    'USER command.{userId}.{command}.{commandId}',
    'DASHBOARD dashboard.{scope}',
  ]);
  const week = 7 * 86_400_000;
  expect(streams.map(({ maxAgeMs }) => maxAgeMs)).toEqual(streams.map(() => week));
});

test('what is conflated and what expires', () => {
  const types = [...families.values()].flatMap((family) => [...family.types.values()]);

  expect(types.flatMap(({ name, conflate }) => (conflate ? [[name, conflate.everyMs]] : []))).toEqual([
    ['order.location_updated', 1_000],
    ['promotion.stock_update', 500],
  ]);
  expect(types.flatMap(({ name, expires }) => (expires ? [[name, expires.field]] : []))).toEqual([
    ['promotion.flash_sale_started', 'endsAt'],
  ]);
});

test('what is joined by itself, and how channels begin', () => {
  const definitions = [...channels.values()].map(({ definition }) => definition);

  expect(definitions.flatMap(({ name, joined }) => (joined ? [[name, joined]] : []))).toEqual([
    ['merchant:{merchantId}', ['merchant_owner', 'merchant_staff']],
    ['user:{userId}', 'any'],
    ['admin:{board}', ['super_admin', 'admin', 'operator']],
    ['broadcast', 'any'],
  ]);
  expect(definitions.flatMap(({ name, first }) => (first === 'states' ? [] : [[name, first]]))).toEqual([
    ['chat:{chatId}', { last: 50 }],
    ['feed:{userId}', 'none'],
  ]);
});

test('every command has a rule for what was done offline', () => {
  const rules = [...commands.values()].map(({ name, offline }) => [name, offline]);

  expect(Object.fromEntries(rules)).toEqual({
    'chat.send_message': 'commutative',
    'chat.read': 'commutative',
    'chat.typing': 'never_queued',
    'cart.add_item': 'commutative',
    'cart.update_item': 'last_wins',
    'cart.remove_item': 'last_wins',
    'cart.clear': 'last_wins',
    'feed.create_post': 'commutative',
    'feed.like_post': 'commutative',
    'feed.comment_post': 'commutative',
    'feed.follow_user': 'commutative',
    'activity.create': 'commutative',
    'activity.join': 'last_wins',
    'activity.leave': 'last_wins',
    'activity.like': 'last_wins',
    'activity.unlike': 'last_wins',
    'order.place': 'commutative',
    'order.cancel': 'rejected_with_state',
    'order.update_status': 'rejected_with_state',
    'delivery.report_location': 'last_wins',
    'promotion.buy': 'rejected_with_state',
    'wallet.redeem': 'rejected_with_state',
    'notification.mark_read': 'commutative',
  });
});
