// Streams of the reference domain. Seven days: what the apps promise to deliver on return.
import type { StreamDefinition } from '../catalogue/define.ts';

const DAY_MS = 86_400_000;

export const ORDER: StreamDefinition = { name: 'ORDER', maxAgeMs: 7 * DAY_MS };
export const PAYMENT: StreamDefinition = { name: 'PAYMENT', maxAgeMs: 7 * DAY_MS };
