import type { Cold } from './cold.ts';
const r = { kind: 'retry', afterMs: 500, code: 'nats_unavailable' } as const;
export const createCold = (_: unknown): Cold => ({ read: async () => r, event: async () => r, neighbours: async () => r, states: async (q) => ({ kind: 'states', events: [], through: q.tail.head }), lastN: async () => r, since: async () => r, leader: async () => r });
