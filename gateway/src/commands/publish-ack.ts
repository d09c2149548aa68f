// What JetStream answers to a command, and what it means. Pure: bytes in, verdict out.
import { asObject, number, text } from '../log/jetstream-api.ts';

export type AckVerdict =
  | { readonly kind: 'stored'; readonly stream: string; readonly sequence: number }
  /** Refused by a limit: of its subject (somebody was first), or of the stream. One code for both; a look-up decides. */
  | { readonly kind: 'taken_or_full'; readonly isSubjectLimit: boolean }
  /** The same message is on its way through the cluster: its fate decides, so ask again. */
  | { readonly kind: 'in_flight' }
  /** There is no room: of the account, of the disk, of the stream's ingest. */
  | { readonly kind: 'full' }
  | { readonly kind: 'too_large' }
  | { readonly kind: 'unavailable'; readonly reason: string };

const STORE_FAILED = 10_077;
const DUPLICATE_IN_FLIGHT = 10_158;
/** Resources of the account, of the server, of its storage. */
const NO_RESOURCES: ReadonlySet<number> = new Set([10_002, 10_023, 10_047]);
const MESSAGE_TOO_LARGE = 10_054;
const TOO_MANY_REQUESTS = 429;
const SUBJECT_LIMIT_TEXT = /per subject/;

/** Never throws: any program may answer to an inbox that it can guess. */
export const judgeAck = (body: Uint8Array): AckVerdict => {
  const answer = parse(body);
  if (answer === undefined) return { kind: 'unavailable', reason: 'the acknowledgement is no JSON object' };
  const error = asObject(answer['error']);
  if (error === undefined) {
    const [stream, sequence] = [text(answer['stream']), number(answer['seq'])];
    if (stream !== '' && sequence > 0) return { kind: 'stored', stream, sequence };
    return { kind: 'unavailable', reason: 'the acknowledgement names no sequence' };
  }
  const apiCode = number(error['err_code']);
  const description = text(error['description']);
  if (apiCode === STORE_FAILED) return { kind: 'taken_or_full', isSubjectLimit: SUBJECT_LIMIT_TEXT.test(description) };
  if (apiCode === DUPLICATE_IN_FLIGHT) return { kind: 'in_flight' };
  if (NO_RESOURCES.has(apiCode) || number(error['code']) === TOO_MANY_REQUESTS) return { kind: 'full' };
  if (apiCode === MESSAGE_TOO_LARGE) return { kind: 'too_large' };
  return { kind: 'unavailable', reason: `${description || 'refused by JetStream'} (${apiCode})` };
};

const parse = (body: Uint8Array): Readonly<Record<string, unknown>> | undefined => {
  try {
    return asObject(JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')));
  } catch {
    // No JSON: the caller says so.
    return undefined;
  }
};
