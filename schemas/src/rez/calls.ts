// What a client asks a service and waits for.
import { Type } from 'typebox';
import { call } from '../catalogue/define.ts';
import { Period } from './leaderboard.ts';

/** Where the caller stands. Rank 0: nowhere yet. */
export const leaderboardRank = call({
  name: 'leaderboard.rank',
  roles: 'any',
  timeoutMs: 2_000,
  request: Type.Object({ period: Type.Optional(Period) }),
  answer: Type.Object({ rank: Type.Integer({ minimum: 0 }), coins: Type.Number() }),
});
