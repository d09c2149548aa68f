// The reference domain, family by family: who sees what is published, who must not, under literal subjects. What the
// end-to-end tests of the families run on, and what docs/DOMAIN-TESTS.md lists. Knows no server.
import type { Claims } from './token.ts';

export interface FamilyEvent {
  /** The whole subject, type last. */
  subject: string;
  payload: Record<string, unknown>;
}

/** Somebody who must not see the family's events under this channel's name. */
export interface Refusal {
  who: string;
  claims: Claims;
  channel: string;
  /** `forbidden`: the channel is refused. `nothing`: it is theirs to watch, and carries none of these events. */
  outcome: 'forbidden' | 'nothing';
  /** With `nothing`: what they do see there, so that nothing is more than not yet. */
  control?: FamilyEvent;
}

export interface FamilyRow {
  family: string;
  who: string;
  claims: Claims;
  /** The channels that carry the events, in this order. */
  channels: string[];
  /** Grants that `who` needs, as tokens of a subject: `presence.u-1.u-9`. */
  grants?: string[];
  /** One of each type that is stored and that `channels` carry. */
  events: FamilyEvent[];
  /** Types that pass by, on `eph.` subjects. */
  passing?: FamilyEvent[];
  /** Stored, and on none of `channels`. */
  hidden?: FamilyEvent[];
  refused: Refusal;
}

export const TIMESTAMP = '2026-01-01T00:00:00.000Z';
const FUTURE = '2099-01-01T00:00:00.000Z';

const customer = (sub = 'u-1'): Claims => ({ sub });
const stranger: Claims = { sub: 'u-2' };
const admin: Claims = { sub: 'admin-1', role: 'admin' };
const merchant: Claims = { sub: 'owner-1', role: 'merchant_owner', merchantId: 'm-1' };
const otherMerchant: Claims = { sub: 'owner-2', role: 'merchant_owner', merchantId: 'm-2' };

const partner = { name: 'Dana', phone: '+1 555 0100' };
const payment = { paymentId: 'p-1', orderId: 'o-1', amount: 12.5, currency: 'EUR', timestamp: TIMESTAMP };
const theActivity = { id: 'a-1', title: 'Padel on Sunday', hostId: 'u-1', participantCount: 2, likeCount: 1 };
const joined = { activityId: 'a-1', userId: 'u-3', participantCount: 3 };
const liked = { activityId: 'a-1', userId: 'u-3', likeCount: 2 };
const cartItem = { cartId: 'cart-u-1', itemId: 'i-1', productId: 'pr-1', timestamp: TIMESTAMP };
const notice = { notificationId: 'n-1', title: 'Hello', body: 'There is news', timestamp: TIMESTAMP };

export const FAMILY_ROWS: readonly FamilyRow[] = [
  {
    family: 'order',
    who: 'its customer',
    claims: customer(),
    channels: ['order:o-1'],
    events: [
      {
        subject: 'order.m-1.u-1.o-1.created',
        payload: {
          orderId: 'o-1',
          orderNumber: 'N-1',
          merchantId: 'm-1',
          userId: 'u-1',
          customer: { name: 'Ada', phone: '+1 555 0101' },
          items: 2,
          total: 12.5,
          type: 'delivery',
          createdAt: TIMESTAMP,
        },
      },
      {
        subject: 'order.m-1.u-1.o-1.status_changed',
        payload: { orderId: 'o-1', status: 'preparing', timestamp: TIMESTAMP },
      },
      {
        subject: 'order.m-1.u-1.o-1.location_updated',
        payload: { orderId: 'o-1', location: { latitude: 52.5, longitude: 13.4 }, timestamp: TIMESTAMP },
      },
      {
        subject: 'order.m-1.u-1.o-1.eta_updated',
        payload: { orderId: 'o-1', estimatedArrival: FUTURE, timestamp: TIMESTAMP },
      },
    ],
    refused: {
      who: 'another customer',
      claims: stranger,
      channel: 'order:o-1',
      outcome: 'nothing',
      control: {
        subject: 'order.m-1.u-2.o-1.status_changed',
        payload: { orderId: 'o-1', status: 'placed', timestamp: TIMESTAMP },
      },
    },
  },
  {
    family: 'delivery',
    who: 'the customer at the door',
    claims: customer(),
    channels: ['order:o-1', 'user:u-1'],
    events: [
      {
        subject: 'delivery.m-1.u-1.o-1.arrived',
        payload: {
          orderId: 'o-1',
          orderNumber: 'N-1',
          deliveryPartner: partner,
          message: 'At the door',
          timestamp: TIMESTAMP,
        },
      },
    ],
    refused: {
      who: 'another merchant',
      claims: otherMerchant,
      channel: 'order:o-1',
      outcome: 'nothing',
      control: {
        subject: 'order.m-2.u-5.o-1.status_changed',
        payload: { orderId: 'o-1', status: 'placed', timestamp: TIMESTAMP },
      },
    },
  },
  {
    family: 'payment',
    who: 'the customer who pays',
    claims: customer(),
    channels: ['order:o-1', 'user:u-1'],
    events: [
      { subject: 'payment.m-1.u-1.o-1.processing', payload: payment },
      { subject: 'payment.m-1.u-1.o-1.confirmed', payload: { ...payment, method: 'card' } },
      { subject: 'payment.m-1.u-1.o-1.failed', payload: { ...payment, reason: 'declined' } },
      { subject: 'payment.m-1.u-1.o-1.refund_updated', payload: { ...payment, refundStatus: 'done' } },
    ],
    refused: {
      who: 'the merchant',
      claims: merchant,
      channel: 'order:o-1',
      outcome: 'nothing',
      control: {
        subject: 'order.m-1.u-1.o-1.status_changed',
        payload: { orderId: 'o-1', status: 'ready', timestamp: TIMESTAMP },
      },
    },
  },
  {
    family: 'chat',
    who: 'the customer of a support chat',
    claims: customer(),
    channels: ['chat:chat-u-1'],
    events: [
      {
        subject: 'chat.chat-u-1.agent-1.message',
        payload: {
          messageId: 'msg-1',
          chatId: 'chat-u-1',
          senderId: 'agent-1',
          senderName: 'Kim',
          senderType: 'agent',
          text: 'How can I help?',
          timestamp: TIMESTAMP,
        },
      },
      {
        subject: 'chat.chat-u-1.agent-1.read',
        payload: { chatId: 'chat-u-1', messageIds: ['msg-0'], readBy: 'agent-1', timestamp: TIMESTAMP },
      },
      {
        subject: 'chat.chat-u-1.agent-1.agent_status',
        payload: { agentId: 'agent-1', agentName: 'Kim', status: 'online', timestamp: TIMESTAMP },
      },
    ],
    passing: [
      {
        subject: 'eph.chat.chat-u-1.agent-1.typing',
        payload: { chatId: 'chat-u-1', userId: 'agent-1', userName: 'Kim', isTyping: true, timestamp: TIMESTAMP },
      },
    ],
    refused: { who: 'no member', claims: stranger, channel: 'chat:chat-u-1', outcome: 'forbidden' },
  },
  {
    family: 'feed',
    who: 'the owner of the timeline',
    claims: customer(),
    channels: ['feed:u-1'],
    events: [
      {
        subject: 'feed.u-1.post-1.new_post',
        payload: { postId: 'post-1', userId: 'u-3', userName: 'Bo', content: 'Look', timestamp: TIMESTAMP },
      },
      {
        subject: 'feed.u-1.post-1.post_liked',
        payload: {
          postId: 'post-1',
          likeId: 'like-1',
          userId: 'u-4',
          userName: 'Cy',
          totalLikes: 1,
          timestamp: TIMESTAMP,
        },
      },
      {
        subject: 'feed.u-1.post-1.post_commented',
        payload: {
          postId: 'post-1',
          commentId: 'c-1',
          userId: 'u-4',
          userName: 'Cy',
          comment: 'Nice',
          totalComments: 1,
          timestamp: TIMESTAMP,
        },
      },
    ],
    hidden: [
      {
        subject: 'feed.u-1.u-4.user_followed',
        payload: {
          followerId: 'u-4',
          followerName: 'Cy',
          followedId: 'u-1',
          followedName: 'Ada',
          timestamp: TIMESTAMP,
        },
      },
    ],
    refused: { who: 'a follower', claims: stranger, channel: 'feed:u-1', outcome: 'forbidden' },
  },
  {
    family: 'leaderboard',
    who: 'anyone signed in',
    claims: customer('u-7'),
    channels: ['leaderboard:daily'],
    events: [
      {
        subject: 'leaderboard.daily.everyone.update',
        payload: {
          period: 'daily',
          entries: [{ rank: 1, userId: 'u-1', fullName: 'Ada', coins: 9, achievements: 1, tier: 'gold' }],
          timestamp: TIMESTAMP,
        },
      },
      {
        subject: 'leaderboard.daily.u-1.rank_change',
        payload: {
          period: 'daily',
          userId: 'u-1',
          oldRank: 2,
          newRank: 1,
          coins: 9,
          rankChange: 1,
          timestamp: TIMESTAMP,
        },
      },
    ],
    hidden: [
      {
        subject: 'leaderboard.daily.u-1.achievement',
        payload: {
          userId: 'u-1',
          achievementId: 'ach-1',
          achievementName: 'First',
          achievementDescription: 'First order',
          points: 5,
          timestamp: TIMESTAMP,
        },
      },
    ],
    refused: { who: 'whom an achievement is not', claims: stranger, channel: 'user:u-1', outcome: 'forbidden' },
  },
  {
    family: 'activity',
    who: 'anyone signed in',
    claims: customer('u-7'),
    channels: ['activity:a-1', 'activities'],
    events: [
      { subject: 'activity.a-1.u-1.created', payload: theActivity },
      { subject: 'activity.a-1.u-1.updated', payload: { ...theActivity, title: 'Padel on Monday' } },
      { subject: 'activity.a-1.u-3.user_joined', payload: joined },
      { subject: 'activity.a-1.u-3.user_left', payload: { ...joined, participantCount: 2 } },
      { subject: 'activity.a-1.u-3.like_added', payload: liked },
      { subject: 'activity.a-1.u-3.like_removed', payload: { ...liked, likeCount: 1 } },
      { subject: 'activity.a-1.u-1.deleted', payload: { activityId: 'a-1' } },
    ],
    refused: {
      who: 'who watches another one',
      claims: stranger,
      channel: 'activity:a-2',
      outcome: 'nothing',
      control: { subject: 'activity.a-2.u-1.updated', payload: { ...theActivity, id: 'a-2' } },
    },
  },
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
        subject: 'command.u-1.cmd-1.applied',
        payload: { command: 'cart.add_item', commandId: 'cmd-1', timestamp: TIMESTAMP },
      },
      {
        subject: 'command.u-1.cmd-2.rejected',
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

/** `order.status_changed` for its subject; also below `eph.`. */
export const typeOfEvent = ({ subject }: FamilyEvent): string => {
  const tokens = subject.replace(/^eph\./, '').split('.');
  return `${tokens[0]}.${tokens.at(-1)}`;
};

export type FamilyAspect = 'happy' | 'passing' | 'refused' | 'resumed' | 'published';

/** Titles of the tests that each row becomes: made here, so that the page and the tests cannot drift apart. */
export const familyTitles = ({ family, who, refused }: FamilyRow): Readonly<Record<FamilyAspect, string>> => ({
  happy: `${family}: every type reaches ${who}`,
  refused: `${family}: ${refused.who} sees nothing`,
  passing: `${family}: what passes by reaches ${who}, and is kept by nobody`,
  resumed: `${family}: what was missed while away is there on return`,
  published: `${family}: what nats pub publishes arrives`,
});
