// Orders on their way, chats, feeds, ranks, activities: who sees what is published, who must not, under literal subjects.
import { type FamilyRow, FUTURE, TIMESTAMP, customer, merchant, otherMerchant, stranger } from './row.ts';

const partner = { name: 'Dana', phone: '+1 555 0100' };
const payment = { paymentId: 'p-1', orderId: 'o-1', amount: 12.5, currency: 'EUR', timestamp: TIMESTAMP };
const theActivity = { id: 'a-1', title: 'Padel on Sunday', hostId: 'u-1', participantCount: 2, likeCount: 1 };
const joined = { activityId: 'a-1', userId: 'u-3', participantCount: 3 };
const liked = { activityId: 'a-1', userId: 'u-3', likeCount: 2 };

export const ORDERS_AND_TALK: readonly FamilyRow[] = [
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
];
