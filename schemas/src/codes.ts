// Every error code, close code and reset reason, once. docs/ERRORS.md is checked against this table.

interface ErrorEntry {
  /** May the same request succeed later without a change by the client? */
  readonly retryable: boolean;
  readonly help: string;
}

/** Codes of `error` and `unsubscribed` frames. A retired code is never reused. */
export const ERRORS = {
  bad_frame: { retryable: false, help: 'The frame is not well formed or not known.' },
  frame_too_large: { retryable: false, help: 'The frame exceeds the size limit.' },
  hello_expected: { retryable: false, help: 'The first frame must be a hello.' },
  hello_timeout: { retryable: true, help: 'No hello arrived in time.' },
  unsupported_version: { retryable: false, help: 'The gateway does not speak this protocol version.' },
  token_missing: { retryable: false, help: 'A token is required.' },
  token_invalid: { retryable: false, help: 'The token is malformed, forged, for somebody else or not yet valid.' },
  token_expired: { retryable: false, help: 'The token has expired: fetch a fresh one.' },
  subject_mismatch: { retryable: false, help: 'A refreshed token must carry the same sub.' },
  auth_unavailable: { retryable: true, help: 'The keys that verify tokens cannot be reached.' },
  invalid_channel: { retryable: false, help: 'The channel name breaks the grammar.' },
  unknown_channel: { retryable: false, help: 'No channel of the catalogue has this name.' },
  forbidden: { retryable: false, help: 'The token does not grant this channel or command.' },
  invalid_position: { retryable: false, help: 'The position cannot be read.' },
  already_subscribed: { retryable: false, help: 'This connection is subscribed to the channel.' },
  not_subscribed: { retryable: false, help: 'This connection is not subscribed to the channel.' },
  too_many_subscriptions: { retryable: false, help: 'The limit of subscriptions is reached.' },
  too_many_connections: { retryable: true, help: 'The limit of connections of this user is reached.' },
  rate_limited: { retryable: true, help: 'Too many requests: slow down.' },
  grants_unavailable: { retryable: true, help: 'Memberships cannot be read at the moment.' },
  revoked: { retryable: false, help: 'The membership that granted this channel has ended.' },
  invalid_command: { retryable: false, help: 'The command does not fit its schema, or its id is no safe token.' },
  unknown_command: { retryable: false, help: 'The catalogue has no command or call of this name.' },
  no_answer: { retryable: true, help: 'No service answered the call in time.' },
  refused: { retryable: false, help: 'The service refused the call; `refusal` has its own code and reason.' },
  behind: { retryable: true, help: 'This pod has not yet read as far as the position.' },
  overloaded: { retryable: true, help: 'A budget of the pod is used up for now, or the stream of commands is full.' },
  unavailable: { retryable: true, help: 'The log cannot be read or written at the moment.' },
  internal: { retryable: true, help: 'A fault of the gateway.' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export const isRetryable = (code: string): boolean =>
  Object.hasOwn(ERRORS, code) && ERRORS[code as ErrorCode].retryable;

/**
 * WebSocket close codes. The range carries the policy, so that a client can act on a code that it has never seen:
 * 4000-4499 reconnect with backoff, 4500-4999 do not reconnect.
 */
export const CLOSE_CODES = {
  drain: 4000,
  pong_timeout: 4001,
  hello_timeout: 4002,
  internal: 4003,
  too_many_connections: 4004,
  rate_limited: 4005,
  auth_unavailable: 4006,
  /** Reconnect with a *fresh* token. */
  token_expired: 4007,
  overloaded: 4008,
  token_missing: 4500,
  token_invalid: 4501,
  unsupported_version: 4502,
  bad_frame: 4503,
  frame_too_large: 4504,
  hello_expected: 4505,
  subject_mismatch: 4506,
} as const;

export type CloseReason = keyof typeof CLOSE_CODES;

/** Whether a client may come back after this close; unknown and transport-level codes (1006, ...) mean yes. */
export const mayReconnect = (closeCode: number): boolean => !(closeCode >= 4500 && closeCode <= 4999);

/** Why a replay could not be complete. The client drops folded state and starts from first events. */
export const RESET_REASONS = {
  truncated: 'Events after the position have been removed by retention or a purge.',
  new_stream: 'The stream was deleted and created anew.',
  rolled_back: 'The stream was restored from an older copy: the event of the position is another one now.',
  ahead: 'The stream ends before the position.',
  filters_changed: 'The position was earned under other filters (role, merchant, catalogue).',
} as const;

export type ResetReason = keyof typeof RESET_REASONS;
