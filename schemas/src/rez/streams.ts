// Streams of the reference domain. Seven days: what the apps promise to deliver on return.
import type { StreamDefinition } from '../catalogue/define.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

export const ORDER: StreamDefinition = { name: 'ORDER', maxAgeMs: WEEK_MS };
export const PAYMENT: StreamDefinition = { name: 'PAYMENT', maxAgeMs: WEEK_MS };
export const CHAT: StreamDefinition = { name: 'CHAT', maxAgeMs: WEEK_MS };
export const SOCIAL: StreamDefinition = { name: 'SOCIAL', maxAgeMs: WEEK_MS };
export const SHOP: StreamDefinition = { name: 'SHOP', maxAgeMs: WEEK_MS };
export const USER: StreamDefinition = { name: 'USER', maxAgeMs: WEEK_MS };
export const DASHBOARD: StreamDefinition = { name: 'DASHBOARD', maxAgeMs: WEEK_MS };
