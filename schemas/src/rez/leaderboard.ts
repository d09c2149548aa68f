// Who leads, per period, and how ranks change.
import { Type } from 'typebox';
import { family, moment, state } from '../catalogue/define.ts';
import { Count, Id, Name, Timestamp } from './fields.ts';
import { SOCIAL } from './streams.ts';

export const LEADERBOARD_PERIODS = ['daily', 'weekly', 'monthly', 'all-time'] as const;

export const Period = Type.Union([
  Type.Literal('daily'),
  Type.Literal('weekly'),
  Type.Literal('monthly'),
  Type.Literal('all-time'),
]);

export const leaderboard = family({
  name: 'leaderboard',
  /** `userId`: `everyone` for the board itself. */
  subject: 'leaderboard.{period}.{userId}',
  stream: SOCIAL,
  types: {
    update: state(
      Type.Object({
        period: Period,
        entries: Type.Array(
          Type.Object({
            rank: Type.Integer({ minimum: 1 }),
            userId: Id,
            fullName: Name,
            coins: Type.Number(),
            achievements: Count,
            tier: Type.String({ maxLength: 64 }),
          }),
          { maxItems: 200 },
        ),
        timestamp: Timestamp,
      }),
    ),
    rank_change: moment(
      Type.Object({
        period: Type.Optional(Period),
        userId: Id,
        oldRank: Type.Integer({ minimum: 0 }),
        newRank: Type.Integer({ minimum: 0 }),
        coins: Type.Number(),
        rankChange: Type.Integer(),
        timestamp: Timestamp,
      }),
    ),
    achievement: moment(
      Type.Object({
        userId: Id,
        achievementId: Id,
        achievementName: Name,
        achievementDescription: Type.String({ maxLength: 1_000 }),
        points: Type.Number(),
        timestamp: Timestamp,
      }),
    ),
  },
});
