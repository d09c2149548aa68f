// docs/ERRORS.md, from the tables in codes.ts. A test keeps the file fresh.
import { CLOSE_CODES, ERRORS, mayReconnect, RESET_REASONS, type CloseReason, type ErrorCode } from './codes.ts';

const HEAD = `# Error codes, close codes and reset reasons

<!-- Generated from schemas/src/codes.ts: change it there, then run \`npx vitest run --project unit schemas/src/codes -u\`. -->

A code is part of the protocol: it is never reused for something else. Texts are for people and may change.
`;

const ERRORS_HEAD = `## Error codes

Of \`error\` frames, and of \`unsubscribed\` frames where the gateway ended the subscription. *Retryable*: the same request
may succeed later, without a change by the client; wait for \`retryAfterMs\` where the frame gives it, else back off. A
code that a client does not know is not retryable. Some are only told as the reason of a close.
`;

const CLOSES_HEAD = `## Close codes

Of the WebSocket. The range says what to do, also about a code that a client has never seen: 4000 to 4499 reconnect, with
backoff and full jitter; 4500 to 4999 do not reconnect, the same connection would end the same way. Any other code
(1006, 1001, ...) is the transport's: reconnect.
`;

const RESETS_HEAD = `## Reset reasons

Of \`reset\` frames: the replay could not be complete. Drop what was folded from the channel's events; first events follow,
then \`live\`.
`;

/** What each close code means to the client; more than the error of the same name says. */
const CLOSE_HELP: Readonly<Record<CloseReason, string>> = {
  drain: 'The pod is going away: reconnect, another one answers.',
  pong_timeout: 'Nothing was heard of the client for too long.',
  hello_timeout: ERRORS.hello_timeout.help,
  internal: ERRORS.internal.help,
  too_many_connections: ERRORS.too_many_connections.help,
  rate_limited: 'Too many frames or bytes, or too many frames before the token was verified.',
  auth_unavailable: ERRORS.auth_unavailable.help,
  token_expired: 'The token has expired: reconnect with a *fresh* one.',
  overloaded: 'The client does not read what it asked for.',
  token_missing: ERRORS.token_missing.help,
  token_invalid: ERRORS.token_invalid.help,
  unsupported_version: ERRORS.unsupported_version.help,
  bad_frame:
    'Bytes that are no frames; a well-formed frame with a fault in it is answered by `error` instead, once there was a `welcome`.',
  frame_too_large: 'A message exceeds the size limit, or too many bytes came before the token was verified.',
  hello_expected: 'The first frame must be a hello without a fault.',
  subject_mismatch: 'Not sent: another sub is answered by `error` instead.',
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

export const errorsPage = (): string => {
  const errors = Object.keys(ERRORS).map((code) => {
    const { retryable, help } = ERRORS[code as ErrorCode];
    return [`\`${code}\``, retryable ? 'yes' : 'no', help];
  });
  const closes = Object.entries(CLOSE_CODES).map(([reason, code]) => [
    String(code),
    `\`${reason}\``,
    mayReconnect(code) ? 'yes' : 'no',
    CLOSE_HELP[reason as CloseReason],
  ]);
  const resets = Object.entries(RESET_REASONS).map(([reason, help]) => [`\`${reason}\``, help]);
  return [
    HEAD,
    ERRORS_HEAD,
    table(['Code', 'Retryable', 'Meaning'], errors),
    '',
    CLOSES_HEAD,
    table(['Code', 'Reason', 'Reconnect', 'Meaning'], closes),
    '',
    RESETS_HEAD,
    table(['Reason', 'Meaning'], resets),
    '',
  ].join('\n');
};
