// The gateway's one error class and its codes: bugs and broken environments throw it, expected outcomes are values.

export type GatewayErrorCode =
  // NATS, mapped in log/nats.ts
  | 'nats_unreachable'
  | 'nats_disconnected'
  | 'nats_closed'
  | 'nats_timeout'
  | 'nats_no_responders'
  | 'nats_denied'
  | 'nats_refused' // an answer of the JetStream API with an error in it: details.apiCode
  | 'nats_bad_answer'
  | 'nats_no_leader' // the server that answered knows no leader of the stream: its figures do not count
  // boot checks of streams
  | 'streams_unfit' // details.faults lists every fault of every stream
  // a reader that is stopped before it was ready
  | 'reader_stopped'
  | 'config_invalid'
  | 'catalogue_invalid'
  | 'internal';

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: GatewayErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: GatewayErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** The funnel of the shell: whatever was thrown, as a GatewayError. */
  static from(thrown: unknown): GatewayError {
    if (thrown instanceof GatewayError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new GatewayError('internal', message, { cause: thrown });
  }
}
