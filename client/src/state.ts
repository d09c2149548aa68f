// The connection's state machine. Pure and total: time and randomness arrive with the inputs, what is to be done leaves
// as actions. Knows attempts, tokens and timers; not channels, frames or sockets.
//
//   disconnected --connect--> connecting(token -> opening -> greeting) --welcome--> connected
//        ^                      ^      ^          | failed or lost                      | lost, silent
//        | close            retry|      '-waiting <+-------------------------------------'
//        |                      |          | attempts used up      drain: connected --window--> connecting
//      (any)                 failed <------'<-- terminal code (4500-4999)
//                            offline: the device said so; waits for `network`, and nothing else
import { CLOSE_CODES, isRetryable, mayReconnect } from '@sluice/schemas';
import { backoffMs } from './backoff.ts';

export interface ConnectionPolicy {
  readonly maxAttempts: number;
  readonly scheduleMs: readonly number[];
  /** Token, socket and welcome together. */
  readonly attemptTimeoutMs: number;
  /** A connection that lived this long starts the schedule anew. */
  readonly stableAfterMs: number;
  /** Whether a fresh token can be had: not from a fixed string. */
  readonly canRefresh: boolean;
}

export type Phase =
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'offline' }
  | { readonly kind: 'waiting'; readonly needsFreshToken: boolean }
  | {
      readonly kind: 'connecting';
      readonly stage: 'token' | 'opening' | 'greeting';
      /** The token of this attempt was not taken from an earlier one. */
      readonly isTokenFresh: boolean;
    }
  | {
      readonly kind: 'connected';
      readonly pingIntervalMs: number;
      readonly refresh: 'idle' | 'fetching' | 'sent';
      readonly refreshFailures: number;
      /** The pod is going away: when to reconnect. */
      readonly reconnectAtMs?: number;
    }
  | { readonly kind: 'failed'; readonly code: string; readonly isFinal: boolean };

export interface Connection {
  readonly phase: Phase;
  readonly isOnline: boolean;
  /** Since the last welcome; counts against `maxAttempts`. */
  readonly failures: number;
  /** Place in the schedule; back to 0 only after a connection was stable, so that a pod that welcomes and dies is spared. */
  readonly step: number;
}

export const TIMERS = ['backoff', 'attempt', 'silence', 'stable', 'refresh', 'drain'] as const;
export type Timer = (typeof TIMERS)[number];

type Signal<Kind extends string> = Kind extends string ? { readonly kind: Kind } : never;

export type Input =
  | Signal<'connect' | 'close' | 'retry' | 'opened' | 'token_failed' | 'token_expiring'>
  | Signal<'backoff_over' | 'attempt_over' | 'stable_over' | 'refresh_over' | 'drain_over'>
  | { readonly kind: 'silence_over'; readonly silentMs: number }
  | { readonly kind: 'foreground'; readonly silentMs: number }
  | { readonly kind: 'network'; readonly isOnline: boolean }
  | { readonly kind: 'token'; readonly isFresh: boolean }
  | { readonly kind: 'welcome'; readonly pingIntervalMs: number; readonly expiresInMs?: number | undefined }
  | { readonly kind: 'auth_accepted'; readonly expiresInMs?: number | undefined }
  | { readonly kind: 'auth_refused'; readonly code: string }
  | { readonly kind: 'draining'; readonly withinMs: number }
  | {
      readonly kind: 'lost';
      readonly closeCode: number;
      /** Code of the error frame that came before, if one did. */
      readonly error?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    };

export type Action =
  | Signal<'open' | 'greet' | 'send_token' | 'stop_timers'>
  | { readonly kind: 'fetch_token'; readonly isFresh: boolean }
  | { readonly kind: 'drop'; readonly closeCode: number }
  | { readonly kind: 'start_timer'; readonly timer: Timer; readonly afterMs: number }
  | { readonly kind: 'report'; readonly code: string; readonly willRetry: boolean };

export interface Moment {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export interface Step {
  readonly connection: Connection;
  readonly actions: readonly Action[];
}

/** What an application shows: `attempt` counts from 1. */
export type ConnectionState =
  | { readonly kind: 'disconnected' | 'connecting' | 'connected' | 'offline' }
  | { readonly kind: 'reconnecting'; readonly attempt: number }
  | { readonly kind: 'failed'; readonly code: string };

export const INITIAL: Connection = { phase: { kind: 'disconnected' }, isOnline: true, failures: 0, step: 0 };

export const toConnectionState = ({ phase, failures }: Connection): ConnectionState => {
  switch (phase.kind) {
    case 'waiting':
    case 'connecting':
      return failures > 0 ? { kind: 'reconnecting', attempt: failures } : { kind: 'connecting' };
    case 'failed':
      return { kind: 'failed', code: phase.code };
    case 'disconnected':
    case 'offline':
    case 'connected':
      return { kind: phase.kind };
  }
};

export const isSameState = (left: ConnectionState, right: ConnectionState): boolean =>
  left.kind === right.kind &&
  (left.kind !== 'reconnecting' || right.kind !== 'reconnecting' || left.attempt === right.attempt) &&
  (left.kind !== 'failed' || right.kind !== 'failed' || left.code === right.code);

const NORMAL = 1000;
const MAX_SILENCE_MS = 60_000;
const DEFAULT_PING_INTERVAL_MS = 25_000;
/** Refresh in the last part of a token's life, spread out, so that tokens issued together are not refreshed together. */
const REFRESH_FROM = 0.75;
const REFRESH_SPREAD = 0.15;
/** A callback that keeps giving the same token is not asked ever more often as that one nears its end. */
const MIN_REFRESHED_MS = 1_000;

type PhaseKind = Phase['kind'];
type InputKind = Input['kind'];

interface Context<P extends PhaseKind = PhaseKind, I extends InputKind = InputKind> {
  readonly connection: Connection;
  readonly phase: Extract<Phase, { kind: P }>;
  readonly input: Extract<Input, { kind: I }>;
  readonly policy: ConnectionPolicy;
  readonly moment: Moment;
}

/** For handlers that look neither at the phase nor at the input: they fit everywhere in the table. */
type Anywhere = Omit<Context, 'phase' | 'input'>;
type Connected = Omit<Context<'connected'>, 'input'>;

const unchanged = (connection: Connection): Step => ({ connection, actions: [] });

const stay = ({ connection }: Anywhere): Step => unchanged(connection);

const enter = (connection: Connection, phase: Phase, actions: readonly Action[] = []): Step => ({
  connection: { ...connection, phase },
  actions: [{ kind: 'stop_timers' }, ...actions],
});

const drop = (closeCode = NORMAL): Action => ({ kind: 'drop', closeCode });

/** One attempt: token, socket, hello. */
const attempt = (connection: Connection, policy: ConnectionPolicy, needsFreshToken: boolean): Step => {
  if (!connection.isOnline) return enter(connection, { kind: 'offline' }, [drop()]);
  return enter(connection, { kind: 'connecting', stage: 'token', isTokenFresh: needsFreshToken }, [
    drop(),
    { kind: 'start_timer', timer: 'attempt', afterMs: policy.attemptTimeoutMs },
    { kind: 'fetch_token', isFresh: needsFreshToken },
  ]);
};

const begin = ({ connection, policy }: Anywhere): Step =>
  attempt({ ...connection, failures: 0, step: 0 }, policy, false);

const attemptNow = ({ connection, phase, policy }: Omit<Context<'waiting'>, 'input'>): Step =>
  attempt(connection, policy, phase.needsFreshToken);

/** After a refusal that is final the same token would be refused again. */
const beginAgain = ({ connection, phase, policy }: Omit<Context<'failed'>, 'input'>): Step =>
  attempt({ ...connection, failures: 0, step: 0 }, policy, phase.isFinal && policy.canRefresh);

const disconnect = ({ connection }: Anywhere): Step =>
  enter({ ...connection, failures: 0, step: 0 }, { kind: 'disconnected' }, [drop()]);

interface Failure {
  readonly code: string;
  readonly closeCode?: number;
  readonly needsFreshToken?: boolean;
  readonly retryAfterMs?: number | undefined;
  /** Losing a connection is what reconnecting is for; failing to make one may interest the application. */
  readonly isReported?: boolean;
}

/** An attempt failed, or a connection was lost: wait, or give up. */
const fail = ({ connection, policy, moment }: Anywhere, failure: Failure): Step => {
  const failed = { ...connection, failures: connection.failures + 1, step: connection.step + 1 };
  const actions = [drop(failure.closeCode)];
  if (!connection.isOnline) return enter(failed, { kind: 'offline' }, actions);
  if (failed.failures > policy.maxAttempts) return giveUp(connection, 'attempts_exhausted', false);
  const afterMs = backoffMs(failed.step, moment.random, { ...policy, retryAfterMs: failure.retryAfterMs });
  return enter(failed, { kind: 'waiting', needsFreshToken: failure.needsFreshToken ?? false }, [
    ...actions,
    ...(failure.isReported ? [{ kind: 'report', code: failure.code, willRetry: true } as const] : []),
    { kind: 'start_timer', timer: 'backoff', afterMs },
  ]);
};

const giveUp = (connection: Connection, code: string, isFinal: boolean): Step =>
  enter(connection, { kind: 'failed', code, isFinal }, [drop(), { kind: 'report', code, willRetry: false }]);

type Lost = Anywhere & Pick<Context<'connecting' | 'connected', 'lost'>, 'phase' | 'input'>;

/** The policy of close codes is their range; what the connection was doing decides the rest. */
const lost = (context: Lost): Step => {
  const { connection, phase, input, policy, moment } = context;
  const code = input.error ?? closeName(input.closeCode) ?? 'connection_lost';
  if (input.closeCode === CLOSE_CODES.token_expired || code === 'token_expired') {
    if (!policy.canRefresh) return giveUp(connection, 'token_expired', true);
    // A token that was fine, or is an old one, has run out: that is no failure. A fresh one that is refused is; so is one
    // that runs out again before a connection was stable, or the next would be made at once, time and again.
    if (phase.kind === 'connecting' && !phase.isTokenFresh) return attempt(connection, policy, true);
    if (phase.kind === 'connected' && connection.step === 0) return attempt({ ...connection, step: 1 }, policy, true);
    return fail(context, { code, needsFreshToken: true, isReported: true });
  }
  if (!mayReconnect(input.closeCode)) return giveUp(connection, code, true);
  if (phase.kind === 'connected' && (phase.reconnectAtMs !== undefined || input.closeCode === CLOSE_CODES.drain)) {
    const afterMs =
      phase.reconnectAtMs === undefined
        ? backoffMs(1, moment.random, { ...policy, retryAfterMs: input.retryAfterMs })
        : Math.max(0, phase.reconnectAtMs - moment.nowMs);
    return enter(connection, { kind: 'waiting', needsFreshToken: false }, [
      drop(),
      { kind: 'start_timer', timer: 'backoff', afterMs },
    ]);
  }
  return fail(context, { code, retryAfterMs: input.retryAfterMs, isReported: input.error !== undefined });
};

const closeName = (closeCode: number): string | undefined =>
  Object.entries(CLOSE_CODES).find(([, code]) => code === closeCode)?.[0] ??
  (mayReconnect(closeCode) ? undefined : `close_${closeCode}`);

const gotToken = ({ connection, phase, input }: Context<'connecting', 'token'>): Step =>
  phase.stage !== 'token'
    ? unchanged(connection)
    : {
        connection: { ...connection, phase: { ...phase, stage: 'opening', isTokenFresh: input.isFresh } },
        actions: [{ kind: 'open' }],
      };

const noToken = (context: Context<'connecting', 'token_failed'>): Step => {
  if (!context.policy.canRefresh) return giveUp(context.connection, 'token_expired', true);
  return fail(context, { code: 'token_unavailable', needsFreshToken: context.phase.isTokenFresh, isReported: true });
};

const greet = ({ connection, phase }: Context<'connecting', 'opened'>): Step =>
  phase.stage !== 'opening'
    ? unchanged(connection)
    : { connection: { ...connection, phase: { ...phase, stage: 'greeting' } }, actions: [{ kind: 'greet' }] };

const welcomed = ({ connection, phase, input, policy, moment }: Context<'connecting', 'welcome'>): Step => {
  if (phase.stage !== 'greeting') return unchanged(connection);
  const pingIntervalMs = input.pingIntervalMs > 0 ? input.pingIntervalMs : DEFAULT_PING_INTERVAL_MS;
  const actions: Action[] = [
    { kind: 'start_timer', timer: 'silence', afterMs: silenceLimitMs(pingIntervalMs) },
    { kind: 'start_timer', timer: 'stable', afterMs: policy.stableAfterMs },
  ];
  if (input.expiresInMs !== undefined && policy.canRefresh) {
    actions.push({ kind: 'start_timer', timer: 'refresh', afterMs: refreshAfterMs(input.expiresInMs, moment) });
  }
  const connected: Phase = { kind: 'connected', pingIntervalMs, refresh: 'idle', refreshFailures: 0 };
  return enter({ ...connection, failures: 0 }, connected, actions);
};

const refreshAfterMs = (expiresInMs: number, { random }: Moment): number =>
  Math.max(0, expiresInMs) * (REFRESH_FROM + REFRESH_SPREAD * random);

const silenceLimitMs = (pingIntervalMs: number): number => Math.min(2 * pingIntervalMs, MAX_SILENCE_MS);

const silent = (context: Context<'connected', 'silence_over'>): Step => {
  const leftMs = silenceLimitMs(context.phase.pingIntervalMs) - context.input.silentMs;
  if (leftMs <= 0) return fail(context, { code: 'connection_lost' });
  return { connection: context.connection, actions: [{ kind: 'start_timer', timer: 'silence', afterMs: leftMs }] };
};

/** Timers and sockets do not survive the sleep of a device: a ping that should have come has not. */
const awake = ({ connection, phase, input, policy }: Context<'connected', 'foreground'>): Step =>
  input.silentMs > phase.pingIntervalMs * 1.25 ? attempt(connection, policy, false) : unchanged(connection);

const refresh = ({ connection, phase, policy }: Connected): Step =>
  phase.refresh !== 'idle' || !policy.canRefresh
    ? unchanged(connection)
    : {
        connection: { ...connection, phase: { ...phase, refresh: 'fetching' } },
        actions: [{ kind: 'fetch_token', isFresh: true }],
      };

/** The last call: a callback that hangs since the refresh was due is asked once more. */
const warned = (context: Connected): Step =>
  context.phase.refresh === 'fetching'
    ? { connection: context.connection, actions: [{ kind: 'fetch_token', isFresh: true }] }
    : refresh(context);

const refreshed = ({ connection, phase }: Connected): Step =>
  phase.refresh !== 'fetching'
    ? unchanged(connection)
    : { connection: { ...connection, phase: { ...phase, refresh: 'sent' } }, actions: [{ kind: 'send_token' }] };

const refreshAccepted = ({ connection, phase, input, moment }: Context<'connected', 'auth_accepted'>): Step => ({
  connection: { ...connection, phase: { ...phase, refresh: 'idle', refreshFailures: 0 } },
  actions:
    input.expiresInMs === undefined
      ? []
      : [
          {
            kind: 'start_timer',
            timer: 'refresh',
            afterMs: Math.max(MIN_REFRESHED_MS, refreshAfterMs(input.expiresInMs, moment)),
          },
        ],
});

/** The connection lives on until its token ends; until then it is tried again, unless that is pointless. */
const refreshFailed = ({ connection, phase, policy, moment }: Connected, code: string, willRetry: boolean): Step => {
  const refreshFailures = phase.refreshFailures + 1;
  return {
    connection: { ...connection, phase: { ...phase, refresh: 'idle', refreshFailures } },
    actions: [
      { kind: 'report', code, willRetry },
      ...(willRetry
        ? [
            {
              kind: 'start_timer',
              timer: 'refresh',
              afterMs: backoffMs(refreshFailures, moment.random, policy),
            } as const,
          ]
        : []),
    ],
  };
};

const refreshUnavailable = (context: Connected): Step => refreshFailed(context, 'token_unavailable', true);

const refreshRefused = (context: Context<'connected', 'auth_refused'>): Step => {
  const { code } = context.input;
  return refreshFailed(context, code, isRetryable(code) || code === 'token_expired');
};

const draining = ({ connection, phase, input, moment }: Context<'connected', 'draining'>): Step => {
  if (phase.reconnectAtMs !== undefined) return unchanged(connection);
  const afterMs = Math.max(0, input.withinMs) * moment.random;
  return {
    connection: { ...connection, phase: { ...phase, reconnectAtMs: moment.nowMs + afterMs } },
    actions: [{ kind: 'start_timer', timer: 'drain', afterMs }],
  };
};

const stable = ({ connection }: Anywhere): Step => ({ connection: { ...connection, step: 0 }, actions: [] });

const move = ({ connection, policy }: Anywhere): Step => attempt(connection, policy, false);

const timedOut = (context: Anywhere): Step => fail(context, { code: 'connection_lost' });

type Network = Omit<Context<PhaseKind, 'network'>, 'phase'>;

const noteNetwork = ({ connection, input }: Network): Step => unchanged({ ...connection, isOnline: input.isOnline });

/** No attempts while the device knows that it is offline; what was connected is not any more. */
const networkGone = ({ connection }: Anywhere): Step =>
  enter({ ...connection, isOnline: false }, { kind: 'offline' }, [drop()]);

const networkIn = {
  offline: (context: Network): Step => (context.input.isOnline ? begin(online(context)) : stay(context)),
  waiting: (context: Context<'waiting', 'network'>): Step =>
    context.input.isOnline ? attemptNow(context) : networkGone(context),
  connecting: (context: Network): Step => (context.input.isOnline ? stay(context) : networkGone(context)),
  failed: (context: Context<'failed', 'network'>): Step =>
    context.input.isOnline && !context.phase.isFinal ? begin(online(context)) : noteNetwork(context),
};

const online = (context: Anywhere): Anywhere => ({ ...context, connection: { ...context.connection, isOnline: true } });

const failedForeground = (context: Context<'failed', 'foreground'>): Step =>
  context.phase.isFinal ? stay(context) : begin(context);

type Table = {
  readonly [I in InputKind]: { readonly [P in PhaseKind]: (context: Context<P, I>) => Step };
};

const unconnected = { disconnected: stay, offline: stay, waiting: stay, failed: stay };

// Every phase for every input: a new one does not compile without its row.
// oxfmt-ignore
const TABLE: Table = {
  connect:        { disconnected: begin, offline: stay, waiting: stay, connecting: stay, connected: stay, failed: beginAgain },
  retry:          { disconnected: begin, offline: stay, waiting: attemptNow, connecting: stay, connected: stay, failed: beginAgain },
  close:          { disconnected: stay, offline: disconnect, waiting: disconnect, connecting: disconnect, connected: disconnect, failed: disconnect },
  network:        { disconnected: noteNetwork, offline: networkIn.offline, waiting: networkIn.waiting, connecting: networkIn.connecting, connected: networkIn.connecting, failed: networkIn.failed },
  foreground:     { disconnected: stay, offline: stay, waiting: attemptNow, connecting: stay, connected: awake, failed: failedForeground },
  token:          { ...unconnected, connecting: gotToken, connected: refreshed },
  token_failed:   { ...unconnected, connecting: noToken, connected: refreshUnavailable },
  opened:         { ...unconnected, connecting: greet, connected: stay },
  welcome:        { ...unconnected, connecting: welcomed, connected: stay },
  lost:           { ...unconnected, connecting: lost, connected: lost },
  draining:       { ...unconnected, connecting: stay, connected: draining },
  token_expiring: { ...unconnected, connecting: stay, connected: warned },
  auth_accepted:  { ...unconnected, connecting: stay, connected: refreshAccepted },
  auth_refused:   { ...unconnected, connecting: stay, connected: refreshRefused },
  backoff_over:   { ...unconnected, waiting: attemptNow, connecting: stay, connected: stay },
  attempt_over:   { ...unconnected, connecting: timedOut, connected: stay },
  silence_over:   { ...unconnected, connecting: stay, connected: silent },
  stable_over:    { ...unconnected, connecting: stay, connected: stable },
  refresh_over:   { ...unconnected, connecting: stay, connected: refresh },
  drain_over:     { ...unconnected, connecting: stay, connected: move },
};

/** Never throws. */
export const step = (connection: Connection, input: Input, policy: ConnectionPolicy, moment: Moment): Step => {
  const handle = TABLE[input.kind][connection.phase.kind] as (context: Context) => Step;
  return handle({ connection, phase: connection.phase, input, policy, moment });
};
