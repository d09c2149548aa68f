// Where orders on the road are, when they arrive, and who brings them. Pure.
import { FINAL_STATUSES } from '@sluice/schemas';
import type {
  Consequence,
  DecisionContext,
  NewEvent,
  PastEvent,
  ServiceCommand,
  ServiceCommandOf,
  Verdict,
} from '../../service/definition.ts';
import { applied, rejected } from '../../service/definition.ts';
import { isDeliveryPartner, isMerchantOf } from '../actor-role.ts';
import { kilometresBetween, minutesFor, type Place, toPlace } from './distance.ts';

interface Partner {
  readonly id?: string;
  readonly name: string;
  readonly phone: string;
}

interface Delivery {
  readonly orderNumber: string;
  readonly keys: { readonly merchantId: string; readonly userId: string; readonly orderId: string };
  readonly destination: Place | undefined;
  status: string;
  partner: Partner | undefined;
  /** Newest estimate that was told. */
  etaMs: number | undefined;
  hasArrived: boolean;
  /** When it was last heard of. */
  timeMs: number;
}

export interface Deliveries {
  readonly byOrder: Map<string, Delivery>;
}

export const noDeliveries = (): Deliveries => ({ byOrder: new Map() });

const ARRIVED_KM = 0.05;
/** A smaller change of the estimate is nobody's business. */
const ETA_STEP_MS = 2 * 60_000;
const MINUTE_MS = 60_000;
const METRES_PER_KM = 1_000;

export const foldDeliveries = (state: Deliveries, event: PastEvent): void => {
  if (event.type === 'order.created') {
    const { keys, payload } = event;
    state.byOrder.set(keys.orderId, {
      ...{ orderNumber: payload.orderNumber, keys, status: 'placed', partner: undefined, etaMs: undefined },
      destination: toPlace((payload as { readonly destination?: unknown }).destination),
      hasArrived: false,
      timeMs: event.timeMs,
    });
    return;
  }
  const delivery = 'orderId' in event.keys ? state.byOrder.get(event.keys.orderId) : undefined;
  if (!delivery) return;
  delivery.timeMs = event.timeMs;
  switch (event.type) {
    case 'order.status_changed':
      delivery.status = event.payload.status;
      delivery.partner = event.payload.deliveryPartner ?? delivery.partner;
      return;
    case 'order.eta_updated':
      delivery.etaMs = Date.parse(event.payload.estimatedArrival);
      return;
    case 'delivery.arrived':
      delivery.hasArrived = true;
      return;
    default:
  }
};

/** Orders of which nothing was heard for so long. */
export const forgetDeliveries = ({ byOrder }: Deliveries, beforeMs: number): void => {
  for (const [orderId, { timeMs }] of byOrder) if (timeMs < beforeMs) byOrder.delete(orderId);
};

export const decideDeliveries = (state: Deliveries, command: ServiceCommand, context: DecisionContext): Verdict =>
  command.name === 'delivery.report_location'
    ? reportLocation(state, command, context)
    : rejected('unknown_command', 'Not a command of deliveries.');

const reportLocation = (
  state: Deliveries,
  { actor, data }: ServiceCommandOf<'delivery.report_location'>,
  context: DecisionContext,
): Verdict => {
  const delivery = state.byOrder.get(data.orderId);
  const isPartner = isDeliveryPartner(actor) && delivery?.partner?.id === actor.sub;
  if (!delivery || (!isPartner && !isMerchantOf(actor, delivery.keys.merchantId))) {
    return rejected('unknown_order', 'There is no such delivery.');
  }
  const { keys, status, destination, partner } = delivery;
  const { orderId } = keys;
  if (status !== 'out_for_delivery') return rejected('not_on_the_road', 'Not out for delivery.', { orderId, status });
  const { timestamp, nowMs } = context;
  const km = destination && kilometresBetween(data.location, destination);
  const etaMs = km === undefined ? undefined : nowMs + minutesFor(km) * MINUTE_MS;
  const events: NewEvent[] = [
    {
      type: 'order.location_updated',
      keys,
      payload: {
        ...{ orderId, location: data.location, timestamp },
        ...(km !== undefined && { distanceToDestination: Math.round(km * METRES_PER_KM) / METRES_PER_KM }),
        ...(partner && { deliveryPartner: partner }),
        ...(etaMs !== undefined && { estimatedArrival: new Date(etaMs).toISOString() }),
      },
    },
  ];
  if (etaMs !== undefined && isNews(etaMs, delivery.etaMs)) events.push(etaEvent(delivery, etaMs, context));
  if (km !== undefined && km <= ARRIVED_KM && partner && !delivery.hasArrived) {
    const message = 'Your order is at the door.';
    const { orderNumber } = delivery;
    const payload = { orderId, orderNumber, deliveryPartner: partner, message, timestamp };
    events.push({ type: 'delivery.arrived', keys, payload });
  }
  return applied(events);
};

const isNews = (etaMs: number, toldMs: number | undefined): boolean =>
  toldMs === undefined || Math.abs(etaMs - toldMs) >= ETA_STEP_MS;

const etaEvent = ({ keys, etaMs: toldMs }: Delivery, etaMs: number, { timestamp }: DecisionContext): NewEvent => ({
  type: 'order.eta_updated',
  keys,
  payload: {
    ...{ orderId: keys.orderId, estimatedArrival: new Date(etaMs).toISOString(), timestamp },
    ...(toldMs !== undefined && etaMs > toldMs && { delayMinutes: Math.round((etaMs - toldMs) / MINUTE_MS) }),
  },
});

const OVER: ReadonlySet<string> = new Set(FINAL_STATUSES);

/** The partner sees the order from the assignment to the end. By what is so now: an old event may come again. */
export const reactToAssignments = (state: Deliveries, event: PastEvent): readonly Consequence[] => {
  if (event.type !== 'order.status_changed') return [];
  const { orderId } = event.keys;
  const delivery = state.byOrder.get(orderId);
  const userId = delivery?.partner?.id;
  if (!delivery || userId === undefined) return [];
  const kind = OVER.has(delivery.status) ? 'revoke' : 'grant';
  return [{ events: [], effects: [{ kind, channel: `order:${orderId}`, userId }] }];
};
