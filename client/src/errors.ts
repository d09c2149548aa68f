// The one error of this package. Applications tell errors apart by `code`, never by the text.
import { ERRORS, isRetryable, type ErrorCode, type ErrorFrame } from '@sluice/schemas';

/** What goes wrong on this side of the wire. */
export const CLIENT_ERRORS = {
  attempts_exhausted: 'All attempts to connect have failed.',
  token_unavailable: 'The token callback failed.',
  connection_closed: 'The client was closed.',
  send_overflow: 'The connection does not take what is sent: it was dropped.',
  listener_threw: 'A listener threw; the client goes on.',
  position_store_failed: 'The position store threw; positions are kept in memory.',
  not_connected: 'There is no connection, and this is not kept until there is one.',
  connection_lost: 'The connection was lost before an answer came.',
  queue_full: 'As much as is kept or waited for is under way already.',
  command_expired: 'The command could not be sent for 24 hours.',
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
  readonly refusal?: ErrorFrame['refusal'];
}

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly channel: string | undefined;
  readonly isRetryable: boolean;
  /** With `refused`: the service's own code and reason. */
  readonly refusal: ErrorFrame['refusal'];

  constructor(code: ClientErrorCode, details: ClientErrorDetails = {}) {
    super(details.message ?? helpOf(code), 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.channel = details.channel;
    this.isRetryable = details.isRetryable ?? isRetryable(code);
    this.refusal = details.refusal;
  }

  static of({ code, message, refusal }: ErrorFrame): ClientError {
    return new ClientError(code, { message, ...(refusal && { refusal }) });
  }
}

const helpOf = (code: string): string => {
  if (code in CLIENT_ERRORS) return CLIENT_ERRORS[code as keyof typeof CLIENT_ERRORS];
  return code in ERRORS ? ERRORS[code as ErrorCode].help : code;
};
