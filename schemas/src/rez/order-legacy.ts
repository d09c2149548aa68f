// Shapes in which apps already in the field know an order's events. Pure; unknown fields pass through.
import type { Reshape } from '../catalogue/define.ts';

interface Shapes {
  readonly toOld: Reshape;
  readonly fromOld: Reshape;
}

const DEFAULT_MESSAGES: Readonly<Record<string, string>> = {
  placed: 'Your order has been placed',
  confirmed: 'Your order has been confirmed',
  processing: 'Your order is being processed',
  preparing: 'Your order is being prepared',
  ready: 'Your order is ready',
  out_for_delivery: 'Your order is out for delivery',
  delivered: 'Your order has been delivered',
  cancelled: 'Your order has been cancelled',
};

const defaultMessage = (status: unknown): string => {
  if (typeof status !== 'string') return 'Your order has been updated';
  return Object.hasOwn(DEFAULT_MESSAGES, status)
    ? DEFAULT_MESSAGES[status]!
    : `Your order is ${status.replaceAll('_', ' ')}`;
};

/** `order:status_update`: a message is required. What was filled in is taken out again, so that the way back adds nothing. */
export const statusesWithMessage: Shapes = {
  toOld: (data) => (data['message'] === undefined ? { ...data, message: defaultMessage(data['status']) } : { ...data }),
  fromOld: ({ message, ...rest }) =>
    message === undefined || message === defaultMessage(rest['status']) ? rest : { ...rest, message },
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `order.statusChanged`: the estimate and the partner are in `metadata`. */
export const statusesWithMetadata: Shapes = {
  toOld: ({ estimatedDelivery, deliveryPartner, ...rest }) => {
    const metadata = {
      ...(isRecord(rest['metadata']) && rest['metadata']),
      ...(estimatedDelivery !== undefined && { estimatedDelivery }),
      ...(deliveryPartner !== undefined && { deliveryPartner }),
    };
    return Object.keys(metadata).length > 0 ? { ...rest, metadata } : rest;
  },
  fromOld: (data) => {
    if (!isRecord(data['metadata'])) return { ...data };
    const { metadata, ...rest } = data;
    const { estimatedDelivery, deliveryPartner, ...others } = metadata;
    return {
      ...rest,
      ...(estimatedDelivery !== undefined && { estimatedDelivery }),
      ...(deliveryPartner !== undefined && { deliveryPartner }),
      ...(Object.keys(others).length > 0 && { metadata: others }),
    };
  },
};

const MINUTE_MS = 60_000;
const ISO_TIME = /^\d{4}-\d\d-\d\dT/;

/** A time becomes `15 minutes`, counted from the event itself; text for people stays what it is. */
const minutesUntil = (arrival: unknown, now: unknown): unknown => {
  if (typeof arrival !== 'string' || !ISO_TIME.test(arrival) || typeof now !== 'string') return arrival;
  const minutes = Math.ceil((Date.parse(arrival) - Date.parse(now)) / MINUTE_MS);
  if (!Number.isFinite(minutes)) return arrival;
  const atLeastNow = Math.max(minutes, 0);
  return atLeastNow === 1 ? '1 minute' : `${atLeastNow} minutes`;
};

/** `delivery.locationUpdated`: `distanceRemaining` (km), and the arrival as text. */
export const locationsOfOldDeliveries: Shapes = {
  toOld: ({ distanceToDestination, estimatedArrival, ...rest }) => ({
    ...rest,
    ...(distanceToDestination !== undefined && { distanceRemaining: distanceToDestination }),
    ...(estimatedArrival !== undefined && { estimatedArrival: minutesUntil(estimatedArrival, rest['timestamp']) }),
  }),
  fromOld: ({ distanceRemaining, ...rest }) => ({
    ...rest,
    ...(distanceRemaining !== undefined && { distanceToDestination: distanceRemaining }),
  }),
};
