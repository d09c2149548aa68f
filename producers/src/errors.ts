// The one error of this package. Tests and callers look at `code`, never at the text.

/** Everything that can go wrong, with what is certain about the event in each case. */
export const PRODUCER_ERRORS = {
  unknown_type: 'The catalogue has no such event type. Nothing was sent.',
  invalid_key: 'A key of the subject is missing or no safe subject token. Nothing was sent.',
  invalid_payload: 'The payload does not fit its schema or cannot travel. Nothing was sent.',
  too_large: 'The event exceeds what the server accepts. Nothing was sent.',
  overloaded: 'Too many publishes wait for room in flight. Nothing was sent.',
  invalid_option: 'An option has an impossible value.',
  unavailable: 'No stream took the event in time. It is certainly not stored.',
  unacknowledged: 'No acknowledgement came in time. The event may be stored.',
  refused: 'The stream refused the event. It is not stored.',
  forbidden: 'The server does not let this connection publish to the subject. It is not stored.',
  closed: 'The publisher is closed; an event that was in flight may be stored.',
  connect_failed: 'No connection to NATS could be made.',
} as const;

export type ProducerErrorCode = keyof typeof PRODUCER_ERRORS;

export interface ProducerErrorDetails {
  readonly type?: string;
  /** Where in the input: `payload/customer/name`, `keys/userId`. */
  readonly path?: string;
  readonly reason?: string;
  /** JetStream's own code. */
  readonly apiCode?: number;
}

export class ProducerError extends Error {
  override readonly name = 'ProducerError';
  readonly code: ProducerErrorCode;
  readonly details: ProducerErrorDetails;

  constructor(code: ProducerErrorCode, details: ProducerErrorDetails = {}, cause?: unknown) {
    const where = [details.type, details.path, details.reason].filter((part) => part !== undefined).join(': ');
    super(where === '' ? PRODUCER_ERRORS[code] : `${where}. ${PRODUCER_ERRORS[code]}`, { cause });
    this.code = code;
    this.details = details;
  }
}
