// Which events somebody is told about, and in which words. Pure, and the only place with words.
import type { PastEvent } from '../../service/definition.ts';

export interface Notice {
  /** A user, or a merchant. */
  readonly recipientId: string;
  readonly isMerchant?: true;
  readonly title: string;
  readonly body: string;
  readonly deepLink?: string;
  /** Only for those who are not there to see it happen. */
  readonly isForAbsent?: true;
}

const STATUS_TITLES: Readonly<Record<string, string>> = {
  confirmed: 'Order confirmed',
  out_for_delivery: 'On its way',
  delivered: 'Delivered',
  cancelled: 'Order cancelled',
};

const MAX_BODY_LENGTH = 200;

/** Undefined for what needs no notice. */
export const noticeOf = (event: PastEvent): Notice | undefined => {
  switch (event.type) {
    case 'order.created': {
      const { merchantId, orderNumber, items, orderId } = event.payload;
      const body = `${orderNumber}: ${items} ${items === 1 ? 'item' : 'items'}`;
      return { recipientId: merchantId, isMerchant: true, title: 'New order', body, deepLink: orderLink(orderId) };
    }
    case 'order.status_changed': {
      const { status, message, orderId, orderNumber = orderId } = event.payload;
      const title = Object.hasOwn(STATUS_TITLES, status) ? STATUS_TITLES[status] : undefined;
      if (title === undefined) return undefined;
      const body = message ?? `${orderNumber}: ${title.toLowerCase()}`;
      return { recipientId: event.keys.userId, title, body, deepLink: orderLink(orderId) };
    }
    case 'delivery.arrived': {
      const { message, orderId } = event.payload;
      return { recipientId: event.keys.userId, title: 'At your door', body: message, deepLink: orderLink(orderId) };
    }
    case 'payment.failed': {
      const { orderId, reason = 'The payment did not go through' } = event.payload;
      return { recipientId: event.keys.userId, title: 'Payment failed', body: reason, deepLink: orderLink(orderId) };
    }
    case 'payment.refund_updated': {
      const { orderId, amount, currency, refundStatus = 'updated' } = event.payload;
      const body = `${amount} ${currency}: ${refundStatus}`;
      return { recipientId: event.keys.userId, title: 'Refund', body, deepLink: orderLink(orderId) };
    }
    case 'wallet.coins_expiring': {
      const { amount, coinType, daysRemaining } = event.payload;
      const days = daysRemaining === 1 ? 'in a day' : `in ${daysRemaining} days`;
      const body = `${amount} ${coinType} expire ${days}`;
      return { recipientId: event.keys.userId, title: 'Coins expire soon', body, deepLink: 'rez://wallet' };
    }
    case 'feed.user_followed': {
      const { followedId, followerName } = event.payload;
      return { recipientId: followedId, title: 'New follower', body: `${followerName} follows you` };
    }
    case 'leaderboard.achievement': {
      const { userId, achievementName, achievementDescription } = event.payload;
      return { recipientId: userId, title: achievementName, body: achievementDescription };
    }
    case 'chat.message': {
      const { chatId, senderType, senderName, text } = event.payload;
      const isOwn = chatId.startsWith(SUPPORT_PREFIX) && senderType === 'agent';
      if (!isOwn) return undefined;
      const body = Array.from(text).slice(0, MAX_BODY_LENGTH).join('');
      const deepLink = `rez://chats/${encodeURIComponent(chatId)}`;
      return { recipientId: chatId.slice(SUPPORT_PREFIX.length), title: senderName, body, deepLink, isForAbsent: true };
    }
    default:
      return undefined;
  }
};

const SUPPORT_PREFIX = 'chat-';

const orderLink = (orderId: string): string => `rez://orders/${encodeURIComponent(orderId)}`;
