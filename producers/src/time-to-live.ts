// How long the server keeps a message, as `Nats-TTL` says it. Pure. Gateways go by the exact time; this only clears away.

/** A century. The durations of Go end after 292 years: a message that is to live longer would be refused. */
const MAX_SECONDS = 100 * 365 * 86_400;

/** In whole seconds, at least one, that do not end before `ms` have passed (or a century). */
export const toTimeToLive = (ms: number): string => `${Math.min(MAX_SECONDS, Math.max(1, Math.ceil(ms / 1_000)))}s`;
