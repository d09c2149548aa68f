// What comes back for one published message. Plain data: no NATS types.

export interface Stored {
  readonly kind: 'stored';
  readonly stream: string;
  readonly sequence: number;
  /** The id was known already: this sequence is the one it got then. */
  readonly duplicate: boolean;
}

export type Reply =
  | Stored
  | { readonly kind: 'refused'; readonly status: number; readonly apiCode: number; readonly description: string }
  /** No stream listens on the subject, or its server is not ready. */
  | { readonly kind: 'no_responders' }
  /** The connection is down: it never left. */
  | { readonly kind: 'not_sent' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'disconnected' }
  /** Something answered that is no acknowledgement. */
  | { readonly kind: 'garbled' }
  | { readonly kind: 'forbidden' }
  | { readonly kind: 'closed' };

interface AckBody {
  readonly stream?: unknown;
  readonly seq?: unknown;
  readonly duplicate?: unknown;
  readonly error?: { readonly code?: unknown; readonly err_code?: unknown; readonly description?: unknown };
}

const text = new TextDecoder();

/** Never throws: any program may answer to an inbox that it can guess. */
export const parseReply = (body: Uint8Array): Reply => {
  let ack: AckBody | null;
  try {
    ack = JSON.parse(text.decode(body)) as AckBody | null;
  } catch {
    return { kind: 'garbled' };
  }
  if (typeof ack !== 'object' || ack === null) return { kind: 'garbled' };
  const { stream, seq, duplicate, error } = ack;
  if (typeof error === 'object' && error !== null) {
    const { code, err_code, description } = error;
    return {
      kind: 'refused',
      status: Number(code ?? 0),
      apiCode: Number(err_code ?? 0),
      description: typeof description === 'string' ? description : '',
    };
  }
  if (typeof stream !== 'string' || typeof seq !== 'number') return { kind: 'garbled' };
  return { kind: 'stored', stream, sequence: seq, duplicate: duplicate === true };
};
