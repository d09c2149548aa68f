// Chats, timelines, leaderboards, activities.
import { channel, claim, filter, param, text } from '../../catalogue/define.ts';
import { activity } from '../activity.ts';
import { chat } from '../chat.ts';
import { feed } from '../feed.ts';
import { leaderboard } from '../leaderboard.ts';
import { AGENT } from '../roles.ts';

const FIRST_MESSAGES = 50;
const wholeChat = [filter(chat, { chatId: param('chatId') })];

/** Members by grant, support agents any chat; a customer's own support chat is `chat-<sub>` and needs no grant. */
const chatChannel = channel({
  name: 'chat:{chatId}',
  first: { last: FIRST_MESSAGES },
  presence: 'members',
  rooms: ['chat-{chatId}', 'chat:{chatId}'],
  access: [
    { roles: [AGENT], filters: wholeChat },
    { roles: 'any', where: { chatId: text('chat-', 'sub') }, filters: wholeChat },
    { roles: 'any', isGranted: true, filters: wholeChat },
  ],
});

const feedChannel = channel({
  name: 'feed:{userId}',
  owner: { userId: claim('sub') },
  first: 'none',
  plain: { userId: claim('sub') },
  access: [
    {
      roles: 'any',
      filters: [filter(feed, { userId: param('userId') }, ['new_post', 'post_liked', 'post_commented'])],
    },
  ],
});

const leaderboardChannel = channel({
  name: 'leaderboard:{period}',
  first: 'states',
  plain: { period: text('monthly') },
  isPlainLastAsked: true,
  access: [{ roles: 'any', filters: [filter(leaderboard, { period: param('period') }, ['update', 'rank_change'])] }],
});

const activityChannel = channel({
  name: 'activity:{activityId}',
  first: 'states',
  presence: 'count',
  rooms: ['activity_{activityId}', 'activity:{activityId}'],
  access: [{ roles: 'any', filters: [filter(activity, { activityId: param('activityId') })] }],
});

const activitiesChannel = channel({
  name: 'activities',
  first: 'states',
  access: [{ roles: 'any', filters: [filter(activity, {})] }],
});

export const socialChannels = [
  chatChannel,
  feedChannel,
  leaderboardChannel,
  activityChannel,
  activitiesChannel,
] as const;
