// The back office's dashboard: every order as it comes, and the city's figures every half minute. Knows no streams.
import { rez } from '@sluice/schemas';
import {
  type Consequence,
  type DecisionContext,
  defineService,
  type PastEvent,
  type ServiceDefinition,
} from '../../service/definition.ts';
import { type CityData, CityFigures, noFigures, slotOf } from './city-figures.ts';

/** There is one city. */
const keys = { scope: 'city' };
const LOOK_EVERY_MS = 1_000;

const react = (_: CityData, event: PastEvent, { timestamp }: DecisionContext): readonly Consequence[] => {
  if (event.type !== 'order.created') return [];
  const { orderId, orderNumber, total, merchantId } = event.payload;
  const { merchantName } = event.payload as { merchantName?: unknown };
  const merchant = { id: merchantId, name: typeof merchantName === 'string' ? merchantName : merchantId };
  const payload = { orderId, orderNumber, amount: total, merchant, timestamp };
  return [{ events: [{ type: 'dashboard.new_order', keys, payload }] }];
};

const due = (data: CityData, { nowMs, timestamp }: DecisionContext): readonly Consequence[] => {
  const state = new CityFigures(data);
  if (state.isTold(nowMs)) return [];
  const payload = { ...state.figures(nowMs), timestamp };
  return [{ key: `stats ${slotOf(nowMs)}`, events: [{ type: 'dashboard.stats', keys, payload }] }];
};

export const dashboardService: ServiceDefinition<CityData> = defineService({
  name: 'dashboard',
  catalogue: rez,
  reads: ['order.created', 'order.status_changed', 'user', 'dashboard'],
  commands: [],
  snapshotVersion: 1,
  initial: noFigures,
  fold: (data, event) => new CityFigures(data).fold(event),
  reactsTo: ['order.created'],
  react,
  tick: { everyMs: LOOK_EVERY_MS, due },
});
