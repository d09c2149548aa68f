// When something is due on one connection: its hello, pings, pongs and its token's end. Pure; times are arguments.
import type { SessionLimits } from './pod.ts';

/** What is to be done; the timeouts and `token_expired` end the connection. */
export type Due = 'hello_timeout' | 'pong_timeout' | 'token_expired' | 'token_expiring' | 'ping';

/** While the peer does not read: how soon a ping is tried again. */
const CONGESTED_PING_MS = 1_000;
/** A token that lives only for minutes is told of in the last third of its life, or every refresh would ask for another. */
const WARNING_SHARE = 3;

export class Deadlines {
  readonly #limits: SessionLimits;
  #isOpen = false;
  #heardMs: number;
  #nextPingMs: number;
  #expiresAtMs = Number.POSITIVE_INFINITY;
  #warnAtMs = Number.POSITIVE_INFINITY;

  constructor(limits: SessionLimits, nowMs: number) {
    this.#limits = limits;
    this.#heardMs = nowMs;
    this.#nextPingMs = nowMs + limits.helloTimeoutMs;
  }

  /** Nothing is due before. */
  get nextMs(): number {
    return Math.min(this.#nextPingMs, this.#warnAtMs, this.#expiresAtMs);
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** The clock says less than it did: else a connection would get no pings, and be given up by its client, for as long. */
  setBack(byMs: number): void {
    this.#heardMs -= byMs;
    this.#nextPingMs -= byMs;
  }

  /** The token has been verified. `spread` in [0, 1): a fleet that came back together is not pinged together. */
  open(nowMs: number, spread: number, expiresAtMs: number | undefined): void {
    this.#isOpen = true;
    this.#nextPingMs = nowMs + this.#limits.pingIntervalMs * (0.5 + spread / 2);
    this.renew(nowMs, expiresAtMs);
  }

  renew(nowMs: number, expiresAtMs: number = Number.POSITIVE_INFINITY): void {
    this.#expiresAtMs = expiresAtMs;
    this.#warnAtMs = expiresAtMs - Math.min(this.#limits.tokenExpiringMs, (expiresAtMs - nowMs) / WARNING_SHARE);
  }

  /** How long the token is still good; undefined for one that does not expire. */
  expiresInMs(nowMs: number): number | undefined {
    return this.#expiresAtMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, this.#expiresAtMs - nowMs);
  }

  /** What is due now, and when the next thing will be. A peer that does not read gets no pings: silence closes it. */
  take(nowMs: number, isCongested: boolean): Due[] {
    if (nowMs < this.nextMs) return [];
    if (!this.#isOpen) return ['hello_timeout'];
    const { pingIntervalMs, helloTimeoutMs } = this.#limits;
    if (nowMs - this.#heardMs > 2 * pingIntervalMs + helloTimeoutMs) return ['pong_timeout'];
    if (nowMs >= this.#expiresAtMs) return ['token_expired'];
    const due: Due[] = [];
    if (nowMs >= this.#warnAtMs) {
      this.#warnAtMs = Number.POSITIVE_INFINITY;
      due.push('token_expiring');
    }
    if (nowMs >= this.#nextPingMs) {
      this.#nextPingMs = nowMs + (isCongested ? CONGESTED_PING_MS : pingIntervalMs);
      if (!isCongested) due.push('ping');
    }
    return due;
  }
}
