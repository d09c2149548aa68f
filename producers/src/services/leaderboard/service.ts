// The leaderboard: coins earned per period, ranks and achievements, told as they change. Knows no streams.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import { isPeriod } from './periods.ts';
import { noStandings, Standings, type StandingsData } from './standings.ts';

const LOOK_EVERY_MS = 200;
const DEFAULT_PERIOD = 'monthly';

export const leaderboardService: ServiceDefinition<StandingsData> = defineService({
  name: 'leaderboard',
  catalogue: rez,
  reads: ['wallet.balance_updated', 'leaderboard', 'feed.new_post', 'order.created'],
  commands: [],
  snapshotVersion: 1,
  initial: noStandings,
  fold: (data, event) => new Standings(data).fold(event),
  tick: { everyMs: LOOK_EVERY_MS, due: (data, { nowMs }) => new Standings(data).due(nowMs) },
  calls: {
    'leaderboard.rank': (state, actor, data) => {
      const { period = DEFAULT_PERIOD } = (data ?? {}) as { period?: unknown };
      if (typeof period !== 'string' || !isPeriod(period)) return { ok: false, code: 'unknown_period' };
      return { ok: true, data: new Standings(state).standing(period, actor.sub) };
    },
  },
});
