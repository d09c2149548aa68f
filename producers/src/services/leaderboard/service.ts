// The leaderboard: coins earned per period, ranks and achievements, told as they change. Knows no streams.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import { isPeriod } from './periods.ts';
import { Standings } from './standings.ts';

const LOOK_EVERY_MS = 200;
const DEFAULT_PERIOD = 'monthly';

export const leaderboardService: ServiceDefinition<Standings> = defineService({
  name: 'leaderboard',
  catalogue: rez,
  reads: ['wallet.balance_updated', 'leaderboard', 'feed.new_post', 'order.created'],
  commands: [],
  initial: () => new Standings(),
  fold: (state, event) => state.fold(event),
  tick: { everyMs: LOOK_EVERY_MS, due: (state, { nowMs }) => state.due(nowMs) },
  calls: {
    'leaderboard.rank': (state, actor, data) => {
      const { period = DEFAULT_PERIOD } = (data ?? {}) as { period?: unknown };
      if (typeof period !== 'string' || !isPeriod(period)) return { ok: false, code: 'unknown_period' };
      return { ok: true, data: state.standing(period, actor.sub) };
    },
  },
});
