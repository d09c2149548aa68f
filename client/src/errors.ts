// The one error of this package. Applications tell errors apart by `code`, never by the text.
import { ERRORS, isRetryable, type ErrorCode } from '@sluice/schemas';

/** What goes wrong on this side of the wire. */
export const CLIENT_ERRORS = {
  attempts_exhausted: 'All attempts to connect have failed.',
  token_unavailable: 'The token callback failed.',
  connection_closed: 'The client was closed.',
  send_overflow: 'The connection does not take what is sent: it was dropped.',
  listener_threw: 'A listener threw; the client goes on.',
  position_store_failed: 'The position store threw; positions are kept in memory.',
  invalid_url: 'The address is not a WebSocket or HTTP address.',
} as const;

/** Codes of the wire, codes of this package, and codes of gateways newer than this client. */
export type ClientErrorCode = ErrorCode | keyof typeof CLIENT_ERRORS | (string & {});

export interface ClientErrorDetails {
  readonly channel?: string;
  readonly message?: string;
  readonly cause?: unknown;
  /** Whether the client itself tries again. Default: what the table of codes says. */
  readonly isRetryable?: boolean;
}

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly channel: string | undefined;
  readonly isRetryable: boolean;

  constructor(code: ClientErrorCode, details: ClientErrorDetails = {}) {
    super(details.message ?? helpOf(code), 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.channel = details.channel;
    this.isRetryable = details.isRetryable ?? isRetryable(code);
  }
}

const helpOf = (code: string): string => {
  if (code in CLIENT_ERRORS) return CLIENT_ERRORS[code as keyof typeof CLIENT_ERRORS];
  return code in ERRORS ? ERRORS[code as ErrorCode].help : code;
};
