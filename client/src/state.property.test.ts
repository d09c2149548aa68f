// Whatever happens in whatever order, the machine never gets stuck, never opens two links, and never hurries.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { INITIAL, step, TIMERS, type Connection, type ConnectionPolicy, type Input, type Timer } from './state.ts';

const SCHEDULE_MS = [1_000, 2_000, 4_000, 8_000, 16_000];
const MAX_RETRY_AFTER_MS = 60_000;

const outside: fc.Arbitrary<Input> = fc.oneof(
  fc.constantFrom<Input>(
    { kind: 'connect' },
    { kind: 'connect' },
    { kind: 'close' },
    { kind: 'retry' },
    { kind: 'token_expiring' },
    { kind: 'token_failed' },
    { kind: 'auth_accepted', expiresInMs: 0 },
    { kind: 'auth_refused', code: 'token_invalid' },
    { kind: 'auth_refused', code: 'auth_unavailable' },
    { kind: 'opened' },
    { kind: 'opened' },
    { kind: 'network', isOnline: true },
    { kind: 'network', isOnline: false },
  ),
  fc.record({ kind: fc.constant('token' as const), isFresh: fc.boolean() }),
  fc.record({
    kind: fc.constant('welcome' as const),
    pingIntervalMs: fc.integer({ min: -1, max: 300_000 }),
    expiresInMs: fc.option(fc.integer({ min: -1, max: 10_000_000 }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('lost' as const),
    closeCode: fc.oneof(fc.constantFrom(1000, 1006, 4000, 4007), fc.integer({ min: 4_000, max: 4_510 })),
    error: fc.constantFrom(undefined, 'overloaded', 'token_expired'),
    retryAfterMs: fc.option(fc.integer({ min: -1, max: 10_000_000 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('draining' as const), withinMs: fc.integer({ min: -1, max: 60_000 }) }),
  fc.record({ kind: fc.constant('foreground' as const), silentMs: fc.integer({ min: 0, max: 100_000 }) }),
);

/** A timer of those that run fires, if any does. */
const firing = fc.record({ fire: fc.nat(), silentMs: fc.integer({ min: 0, max: 120_000 }) });
const happening = fc.record({
  what: fc.oneof(outside, firing),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
});

class World {
  connection: Connection = INITIAL;
  isLinked = false;
  readonly timers = new Map<Timer, number>();
  nowMs = 0;
  readonly policy: ConnectionPolicy;

  constructor(policy: ConnectionPolicy) {
    this.policy = policy;
  }

  apply(input: Input, random: number): void {
    const before = this.connection;
    const { connection, actions } = step(before, input, this.policy, { nowMs: this.nowMs, random });
    this.connection = connection;
    for (const action of actions) {
      if (action.kind === 'stop_timers') this.timers.clear();
      if (action.kind === 'drop') this.isLinked = false;
      if (action.kind === 'open') {
        expect(this.isLinked).toBe(false);
        expect(connection.isOnline).toBe(true);
        this.isLinked = true;
      }
      if (action.kind === 'start_timer') {
        expect(action.afterMs).toBeGreaterThanOrEqual(0);
        if (action.timer === 'backoff' && before.phase.kind !== 'connected') {
          const ceilingMs = SCHEDULE_MS[Math.min(connection.step, SCHEDULE_MS.length) - 1]!;
          expect(action.afterMs).toBeLessThanOrEqual(ceilingMs + MAX_RETRY_AFTER_MS);
        }
        this.timers.set(action.timer, action.afterMs);
      }
    }
  }

  fire(index: number, silentMs: number): Input | undefined {
    const running = TIMERS.filter((timer) => this.timers.has(timer));
    const timer = running[index % Math.max(1, running.length)];
    if (timer === undefined) return undefined;
    this.nowMs += this.timers.get(timer)!;
    this.timers.delete(timer);
    return timer === 'silence' ? { kind: 'silence_over', silentMs } : { kind: `${timer}_over` };
  }

  check(): void {
    const { phase, failures, isOnline } = this.connection;
    // Each phase that waits for something has the timer that ends the wait.
    if (phase.kind === 'waiting') expect([...this.timers.keys()]).toEqual(['backoff']);
    else if (phase.kind === 'connecting') expect([...this.timers.keys()]).toEqual(['attempt']);
    else if (phase.kind === 'connected') expect(this.timers.has('silence')).toBe(true);
    else expect(this.timers.size).toBe(0);
    const mayBeLinked = phase.kind === 'connected' || (phase.kind === 'connecting' && phase.stage !== 'token');
    expect(this.isLinked).toBe(mayBeLinked);
    if (phase.kind === 'offline') expect(isOnline).toBe(false);
    if (phase.kind === 'connecting' || phase.kind === 'waiting' || phase.kind === 'connected')
      expect(isOnline).toBe(true);
    if (phase.kind === 'connected') expect(failures).toBe(0);
    expect(failures).toBeLessThanOrEqual(this.policy.maxAttempts);
  }
}

test('every phase that waits has what ends the wait; one link at most; no attempt offline; delays are bounded', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.integer({ min: 0, max: 10 }),
      fc.array(happening, { maxLength: 80 }),
      (canRefresh, maxAttempts, happenings) => {
        const world = new World({
          maxAttempts,
          scheduleMs: SCHEDULE_MS,
          attemptTimeoutMs: 15_000,
          stableAfterMs: 5_000,
          canRefresh,
        });
        for (const { what, random } of happenings) {
          const input = 'fire' in what ? world.fire(what.fire, what.silentMs) : what;
          if (!input) continue;
          // The shell forgets a link that it dropped: nothing comes from one that is not there.
          const comesFromLink = input.kind === 'opened' || input.kind === 'welcome' || input.kind === 'lost';
          if (comesFromLink && !world.isLinked) continue;
          world.apply(input, random);
          world.check();
        }
      },
    ),
  );
});

test('left alone, it makes all its attempts and then fails', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 20 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (maxAttempts, random) => {
        const world = new World({
          maxAttempts,
          scheduleMs: SCHEDULE_MS,
          attemptTimeoutMs: 1,
          stableAfterMs: 1,
          canRefresh: true,
        });
        world.apply({ kind: 'connect' }, random);
        let attempts = 1;
        for (let input = world.fire(0, 0); input; input = world.fire(0, 0)) {
          if (input.kind === 'backoff_over') attempts++;
          world.apply(input, random);
          world.check();
        }

        expect(attempts).toBe(maxAttempts + 1);
        expect(world.connection.phase).toEqual({ kind: 'failed', code: 'attempts_exhausted', isFinal: false });
      },
    ),
  );
});
