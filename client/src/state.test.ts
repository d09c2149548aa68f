import { CLOSE_CODES } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import {
  INITIAL,
  step,
  toConnectionState,
  type Action,
  type Connection,
  type ConnectionPolicy,
  type Input,
  type Phase,
} from './state.ts';

const POLICY: ConnectionPolicy = {
  maxAttempts: 10,
  scheduleMs: [1_000, 2_000, 4_000, 8_000, 16_000],
  attemptTimeoutMs: 15_000,
  stableAfterMs: 5_000,
  canRefresh: true,
};
const MOMENT = { nowMs: 1_000_000, random: 0.5 };

const PHASES: { readonly [P in Phase['kind']]: Phase } = {
  disconnected: { kind: 'disconnected' },
  offline: { kind: 'offline' },
  waiting: { kind: 'waiting', needsFreshToken: false },
  connecting: { kind: 'connecting', stage: 'greeting', isTokenFresh: false },
  connected: { kind: 'connected', pingIntervalMs: 25_000, refresh: 'idle', refreshFailures: 0 },
  failed: { kind: 'failed', code: 'attempts_exhausted', isFinal: false },
};

const INPUTS: { readonly [I in Input['kind']]: Extract<Input, { kind: I }> } = {
  connect: { kind: 'connect' },
  close: { kind: 'close' },
  retry: { kind: 'retry' },
  opened: { kind: 'opened' },
  token: { kind: 'token', isFresh: true },
  token_failed: { kind: 'token_failed' },
  token_expiring: { kind: 'token_expiring' },
  welcome: { kind: 'welcome', pingIntervalMs: 25_000 },
  lost: { kind: 'lost', closeCode: 1006 },
  auth_accepted: { kind: 'auth_accepted' },
  auth_refused: { kind: 'auth_refused', code: 'token_expired' },
  draining: { kind: 'draining', withinMs: 1_000 },
  network: { kind: 'network', isOnline: false },
  foreground: { kind: 'foreground', silentMs: 0 },
  backoff_over: { kind: 'backoff_over' },
  attempt_over: { kind: 'attempt_over' },
  silence_over: { kind: 'silence_over', silentMs: 60_000 },
  stable_over: { kind: 'stable_over' },
  refresh_over: { kind: 'refresh_over' },
  drain_over: { kind: 'drain_over' },
};

type Kind = Phase['kind'];

/** Where each input leads from each phase; only what moves is named, everything else stays. */
const MOVES: { readonly [P in Kind]: { readonly [I in Input['kind']]?: Kind } } = {
  disconnected: { connect: 'connecting', retry: 'connecting' },
  offline: { close: 'disconnected' },
  waiting: {
    close: 'disconnected',
    retry: 'connecting',
    network: 'offline',
    foreground: 'connecting',
    backoff_over: 'connecting',
  },
  connecting: {
    close: 'disconnected',
    network: 'offline',
    welcome: 'connected',
    lost: 'waiting',
    token_failed: 'waiting',
    attempt_over: 'waiting',
  },
  connected: {
    close: 'disconnected',
    network: 'offline',
    lost: 'waiting',
    silence_over: 'waiting',
    drain_over: 'connecting',
  },
  failed: { close: 'disconnected', connect: 'connecting', retry: 'connecting', foreground: 'connecting' },
};

const run = (phase: Phase, input: Input, connection: Partial<Connection> = {}, policy = POLICY, moment = MOMENT) =>
  step({ ...INITIAL, ...connection, phase }, input, policy, moment);

const timer = (actions: readonly Action[], name: string): number | undefined =>
  actions.find((action) => action.kind === 'start_timer' && action.timer === name)?.['afterMs' as never];

const kinds = (actions: readonly Action[]): string[] => actions.map(({ kind }) => kind);

describe.each(Object.values(PHASES))('$kind', (phase) => {
  test.each(Object.values(INPUTS))('on $kind', (input) => {
    const { connection, actions } = run(phase, input);

    expect(connection.phase.kind).toBe(MOVES[phase.kind][input.kind] ?? phase.kind);
    if (connection.phase.kind !== phase.kind) expect(actions[0]).toEqual({ kind: 'stop_timers' });
  });
});

describe('attempts', () => {
  test('ten are made, then it fails until the application retries', () => {
    let connection: Connection = { ...INITIAL, phase: PHASES.connected };
    const shown: unknown[] = [];
    for (let i = 0; i <= 10; i++) {
      connection = step(connection, INPUTS.lost, POLICY, MOMENT).connection;
      shown.push(toConnectionState(connection));
      if (connection.phase.kind === 'waiting') connection = { ...connection, phase: PHASES.connecting };
    }

    expect(shown.slice(0, 10)).toEqual(
      Array.from({ length: 10 }, (_, i) => ({ kind: 'reconnecting', attempt: i + 1 })),
    );
    expect(shown[10]).toEqual({ kind: 'failed', code: 'attempts_exhausted' });
    expect(step(connection, INPUTS.retry, POLICY, MOMENT).connection).toMatchObject({ failures: 0, step: 0 });
  });

  test('a welcome clears the count, only a stable connection clears the schedule', () => {
    const tired = { failures: 3, step: 3 };

    const welcomed = run(PHASES.connecting, INPUTS.welcome, tired).connection;
    const lostAtOnce = step(welcomed, INPUTS.lost, POLICY, MOMENT);
    const stable = step(welcomed, INPUTS.stable_over, POLICY, MOMENT).connection;
    const lostLater = step(stable, INPUTS.lost, POLICY, MOMENT);

    expect(welcomed).toMatchObject({ failures: 0, step: 3 });
    expect(timer(lostAtOnce.actions, 'backoff')).toBe(4_000);
    expect(lostAtOnce.connection.failures).toBe(1);
    expect(timer(lostLater.actions, 'backoff')).toBe(500);
  });

  test('none is made while the device is offline, one at once when it is back', () => {
    const offline = run(PHASES.waiting, { kind: 'network', isOnline: false }, { failures: 4, step: 4 });
    const still = step(offline.connection, INPUTS.retry, POLICY, MOMENT);
    const back = step(offline.connection, { kind: 'network', isOnline: true }, POLICY, MOMENT);

    expect(offline.connection.phase.kind).toBe('offline');
    expect(still.actions).toEqual([]);
    expect(back.connection).toMatchObject({ phase: { kind: 'connecting' }, failures: 0, step: 0 });
  });

  test('connecting while offline waits for the network', () => {
    const noted = run(PHASES.disconnected, { kind: 'network', isOnline: false }).connection;

    expect(step(noted, INPUTS.connect, POLICY, MOMENT).connection.phase.kind).toBe('offline');
  });

  test('the network’s return ends a failure that is not final, and no other', () => {
    const back: Input = { kind: 'network', isOnline: true };

    expect(run(PHASES.failed, back).connection.phase.kind).toBe('connecting');
    expect(run({ kind: 'failed', code: 'token_invalid', isFinal: true }, back).connection.phase.kind).toBe('failed');
  });
});

describe('close codes', () => {
  test.each(Object.entries(CLOSE_CODES).filter(([, code]) => code >= 4_500))('%s is final', (name, closeCode) => {
    const { connection, actions } = run(PHASES.connected, { kind: 'lost', closeCode });

    expect(connection.phase).toEqual({ kind: 'failed', code: name, isFinal: true });
    expect(timer(actions, 'backoff')).toBeUndefined();
  });

  test('a code of a range it has never seen is followed all the same', () => {
    expect(run(PHASES.connected, { kind: 'lost', closeCode: 4_777 }).connection.phase).toMatchObject({
      code: 'close_4777',
      isFinal: true,
    });
    expect(run(PHASES.connected, { kind: 'lost', closeCode: 4_333 }).connection.phase.kind).toBe('waiting');
  });

  test('what the gateway asks to wait is waited', () => {
    const input: Input = { kind: 'lost', closeCode: CLOSE_CODES.overloaded, error: 'overloaded', retryAfterMs: 7_000 };

    expect(timer(run(PHASES.connected, input).actions, 'backoff')).toBe(7_500);
  });

  test('after a final refusal a retry fetches a fresh token', () => {
    const { actions } = run({ kind: 'failed', code: 'token_invalid', isFinal: true }, INPUTS.retry);

    expect(actions).toContainEqual({ kind: 'fetch_token', isFresh: true });
  });
});

describe('tokens', () => {
  const expired: Input = { kind: 'lost', closeCode: CLOSE_CODES.token_expired };

  test('an expired one is replaced at once, without counting as a failure', () => {
    for (const phase of [PHASES.connected, PHASES.connecting]) {
      const { connection, actions } = run(phase, expired);

      expect(connection).toMatchObject({ phase: { kind: 'connecting', isTokenFresh: true }, failures: 0 });
      expect(actions).toContainEqual({ kind: 'fetch_token', isFresh: true });
    }
  });

  test('a fresh one that is refused as expired waits before the next', () => {
    const { connection } = run({ kind: 'connecting', stage: 'greeting', isTokenFresh: true }, expired);

    expect(connection).toMatchObject({ phase: { kind: 'waiting', needsFreshToken: true }, failures: 1 });
  });

  test('a fixed string cannot be replaced', () => {
    const { connection } = run(PHASES.connected, expired, {}, { ...POLICY, canRefresh: false });

    expect(connection.phase).toEqual({ kind: 'failed', code: 'token_expired', isFinal: true });
  });

  test('it is refreshed in the last quarter of its life', () => {
    const delays = [0, 0.999].map((random) =>
      timer(
        run(PHASES.connecting, { ...INPUTS.welcome, expiresInMs: 100_000 }, {}, POLICY, { nowMs: 0, random }).actions,
        'refresh',
      ),
    );

    expect(delays[0]).toBe(75_000);
    expect(delays[1]).toBeLessThanOrEqual(90_000);
  });

  test('a refresh goes fetch, send, accept; only one at a time', () => {
    const fetching = run(PHASES.connected, INPUTS.token_expiring);
    const again = step(fetching.connection, INPUTS.refresh_over, POLICY, MOMENT);
    const sent = step(fetching.connection, INPUTS.token, POLICY, MOMENT);
    const done = step(sent.connection, INPUTS.auth_accepted, POLICY, MOMENT);

    expect(fetching.actions).toEqual([{ kind: 'fetch_token', isFresh: true }]);
    expect(again.actions).toEqual([]);
    expect(sent.actions).toEqual([{ kind: 'send_token' }]);
    expect(done.connection.phase).toEqual(PHASES.connected);
  });

  test('the fresh one has a life of its own, and one that is given again and again is not asked for ever more often', () => {
    const sent = { ...PHASES.connected, refresh: 'sent' } as Phase;
    const delays = [100_000, 100, 0, undefined].map((expiresInMs) =>
      timer(run(sent, { kind: 'auth_accepted', expiresInMs }).actions, 'refresh'),
    );

    expect(delays).toEqual([82_500, 1_000, 1_000, undefined]);
  });

  test('a refresh that fails is tried again while the connection lives; another sub is not', () => {
    const failed = run({ ...PHASES.connected, refresh: 'fetching' } as Phase, INPUTS.token_failed);
    const refused = run({ ...PHASES.connected, refresh: 'sent' } as Phase, {
      kind: 'auth_refused',
      code: 'subject_mismatch',
    });

    expect(failed.connection.phase.kind).toBe('connected');
    expect(timer(failed.actions, 'refresh')).toBe(500);
    expect(refused.actions).toEqual([{ kind: 'report', code: 'subject_mismatch', willRetry: false }]);
  });
});

describe('silence', () => {
  test('twice the ping interval, and never more than a minute', () => {
    const limits = [1_000, 25_000, 300_000, 0].map((pingIntervalMs) =>
      timer(run(PHASES.connecting, { kind: 'welcome', pingIntervalMs }).actions, 'silence'),
    );

    expect(limits).toEqual([2_000, 50_000, 60_000, 50_000]);
  });

  test('a message in between moves the deadline', () => {
    const { connection, actions } = run(PHASES.connected, { kind: 'silence_over', silentMs: 20_000 });

    expect(connection.phase.kind).toBe('connected');
    expect(timer(actions, 'silence')).toBe(30_000);
  });

  test('coming to the foreground finds a connection that missed its ping', () => {
    expect(run(PHASES.connected, { kind: 'foreground', silentMs: 40_000 }).connection.phase.kind).toBe('connecting');
    expect(run(PHASES.connected, { kind: 'foreground', silentMs: 20_000 }).connection.phase.kind).toBe('connected');
  });
});

describe('drain', () => {
  test('reconnects at a random moment of the window, without counting', () => {
    const drained = run(PHASES.connected, { kind: 'draining', withinMs: 10_000 });
    const over = step(drained.connection, INPUTS.drain_over, POLICY, MOMENT);

    expect(timer(drained.actions, 'drain')).toBe(5_000);
    expect(over.connection).toMatchObject({ phase: { kind: 'connecting' }, failures: 0 });
    expect(kinds(over.actions)).toEqual(['stop_timers', 'drop', 'start_timer', 'fetch_token']);
  });

  test('a pod that goes early does not move the moment', () => {
    const drained = run(PHASES.connected, { kind: 'draining', withinMs: 10_000 }).connection;
    const gone = step(drained, { kind: 'lost', closeCode: 1006 }, POLICY, { nowMs: MOMENT.nowMs + 2_000, random: 0 });

    expect(timer(gone.actions, 'backoff')).toBe(3_000);
    expect(gone.connection.failures).toBe(0);
  });

  test('a second notice does not draw again', () => {
    const drained = run(PHASES.connected, { kind: 'draining', withinMs: 10_000 }).connection;

    expect(step(drained, { kind: 'draining', withinMs: 1 }, POLICY, MOMENT).actions).toEqual([]);
  });
});
