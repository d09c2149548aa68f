// Carts, shops, sales, wallets, people and the back office: who sees what is published, who must not.
import { type FamilyRow, FUTURE, TIMESTAMP, admin, customer, merchant, otherMerchant, stranger } from './row.ts';

const cartItem = { cartId: 'cart-u-1', itemId: 'i-1', productId: 'pr-1', timestamp: TIMESTAMP };
const notice = { notificationId: 'n-1', title: 'Hello', body: 'There is news', timestamp: TIMESTAMP };

export const SHOP_AND_PEOPLE: readonly FamilyRow[] = [
  {
    family: 'cart',
    who: 'its owner',
    claims: customer(),
    channels: ['cart:cart-u-1'],
    events: [
      {
        subject: 'cart.u-1.cart-u-1.sync',
        payload: {
          userId: 'u-1',
          cartId: 'cart-u-1',
          items: [{ id: 'i-1', productId: 'pr-1', quantity: 2, price: 3 }],
          totalItems: 2,
          totalPrice: 6,
          timestamp: TIMESTAMP,
        },
      },
      { subject: 'cart.u-1.cart-u-1.item_reserved', payload: { ...cartItem, reservedUntil: FUTURE } },
      { subject: 'cart.u-1.cart-u-1.item_released', payload: { ...cartItem, reason: 'timeout' } },
    ],
    refused: { who: 'another customer', claims: stranger, channel: 'cart:cart-u-1', outcome: 'forbidden' },
  },
  {
    family: 'product',
    who: 'anyone signed in',
    claims: customer('u-7'),
    channels: ['product:pr-1'],
    events: [
      {
        subject: 'product.m-1.pr-1.price_updated',
        payload: { productId: 'pr-1', storeId: 'm-1', price: 3, previous: 4, timestamp: TIMESTAMP },
      },
      {
        subject: 'product.m-1.pr-1.stock_updated',
        payload: { productId: 'pr-1', storeId: 'm-1', stock: 7, previous: 8, timestamp: TIMESTAMP },
      },
    ],
    refused: { who: 'a customer', claims: customer(), channel: 'merchant:m-1', outcome: 'forbidden' },
  },
  {
    family: 'store',
    who: 'anyone signed in',
    claims: customer('u-7'),
    channels: ['store:m-1'],
    events: [
      {
        subject: 'store.m-1.status_changed',
        payload: { storeId: 'm-1', open: false, message: 'Back at noon', timestamp: TIMESTAMP },
      },
    ],
    refused: { who: 'another merchant', claims: otherMerchant, channel: 'merchant:m-1', outcome: 'forbidden' },
  },
  {
    family: 'promotion',
    who: 'anyone signed in',
    claims: customer('u-7'),
    channels: ['flash_sale:sale-1', 'broadcast'],
    events: [
      {
        subject: 'promotion.sale-1.sale.flash_sale_started',
        payload: {
          id: 'sale-1',
          title: 'Tea',
          description: 'Half price',
          discount: 50,
          category: 'drinks',
          endsAt: FUTURE,
          imageUrl: 'https://example.com/tea.png',
        },
      },
      {
        subject: 'promotion.sale-1.pr-1.stock_update',
        payload: {
          saleId: 'sale-1',
          productId: 'pr-1',
          stockRemaining: 40,
          totalStock: 100,
          percentageRemaining: 40,
        },
      },
    ],
    refused: {
      who: 'who watches another sale',
      claims: stranger,
      channel: 'flash_sale:sale-2',
      outcome: 'nothing',
      control: {
        subject: 'promotion.sale-2.pr-1.stock_update',
        payload: { saleId: 'sale-2', productId: 'pr-1', stockRemaining: 1, totalStock: 2, percentageRemaining: 50 },
      },
    },
  },
  {
    family: 'wallet',
    who: 'its owner',
    claims: customer(),
    channels: ['user:u-1'],
    events: [
      {
        subject: 'wallet.u-1.balance_updated',
        payload: {
          balances: { rezCoins: 5, brandedCoins: 0, promoCoins: 0, total: 5 },
          change: { amount: 5, type: 'rezCoins', operation: 'credit', reason: 'order' },
          timestamp: TIMESTAMP,
        },
      },
      {
        subject: 'wallet.u-1.coins_expiring',
        payload: { amount: 5, coinType: 'rezCoins', expiresAt: FUTURE, daysRemaining: 7 },
      },
    ],
    refused: { who: 'another customer', claims: stranger, channel: 'user:u-1', outcome: 'forbidden' },
  },
  {
    family: 'notification',
    who: 'its recipient, a merchant',
    claims: merchant,
    channels: ['merchant:m-1'],
    events: [{ subject: 'notification.m-1.created', payload: notice }],
    passing: [{ subject: 'eph.notification.m-1.sound', payload: { type: 'new_order' } }],
    // For an APNs or FCM sender: nobody's screen.
    hidden: [{ subject: 'notification.m-1.push_requested', payload: { ...notice, userId: 'owner-1' } }],
    refused: { who: 'another merchant', claims: otherMerchant, channel: 'merchant:m-1', outcome: 'forbidden' },
  },
  {
    family: 'user',
    who: 'a friend, by a grant',
    claims: customer('friend-1'),
    channels: ['presence:u-9'],
    grants: ['presence.u-9.friend-1'],
    events: [
      { subject: 'user.u-9.online', payload: { userId: 'u-9', timestamp: TIMESTAMP } },
      { subject: 'user.u-9.offline', payload: { userId: 'u-9', timestamp: TIMESTAMP } },
    ],
    refused: { who: 'no friend', claims: stranger, channel: 'presence:u-9', outcome: 'forbidden' },
  },
  {
    family: 'command',
    who: 'the sender',
    claims: customer(),
    channels: ['user:u-1'],
    events: [
      {
        subject: 'command.u-1.cart:add_item.cmd-1.applied',
        payload: { command: 'cart.add_item', commandId: 'cmd-1', timestamp: TIMESTAMP },
      },
      {
        subject: 'command.u-1.cart:add_item.cmd-2.rejected',
        payload: {
          command: 'cart.add_item',
          commandId: 'cmd-2',
          code: 'out_of_stock',
          reason: 'None left',
          timestamp: TIMESTAMP,
        },
      },
    ],
    refused: { who: 'another customer', claims: stranger, channel: 'user:u-1', outcome: 'forbidden' },
  },
  {
    family: 'dashboard',
    who: 'an admin',
    claims: admin,
    channels: ['admin:dashboard'],
    events: [
      {
        subject: 'dashboard.city.new_order',
        payload: {
          orderId: 'o-1',
          orderNumber: 'N-1',
          amount: 12.5,
          merchant: { id: 'm-1', name: 'Tea house' },
          timestamp: TIMESTAMP,
        },
      },
      {
        subject: 'dashboard.city.stats',
        payload: { todayOrders: 1, todayRevenue: 12.5, activeUsers: 2, activeMerchants: 1, timestamp: TIMESTAMP },
      },
    ],
    refused: { who: 'a merchant', claims: merchant, channel: 'admin:dashboard', outcome: 'forbidden' },
  },
];
