// What leaves a client: frames joined into messages, as much at once as a gateway and the socket take.
import { encodeFrame, PROTOCOL_VERSION, type Encoding, type Subscribe, type UpFrame } from '@sluice/schemas';
import { toMessage } from './message.ts';
import type { TransportLink } from './transports/transport.ts';

/** Subscribes travel with the hello up to here; before it knows the token a gateway takes few and small messages. */
const MAX_GREETING_BYTES = 16_384;
const MAX_GREETING_FRAMES = 128;
/** Requests are a few bytes each: more than this queued means that the connection takes nothing. */
const MAX_BUFFERED_BYTES = 1_048_576;

export interface OutgoingOptions {
  readonly encoding: Encoding;
  readonly agent: string;
  readonly join: boolean;
  /** For all channels that are not on the wire. One that was taken counts as sent. */
  readonly requests: () => Iterator<Subscribe, undefined>;
  /** Still the client's link, which listeners and a full socket may end at any moment. */
  readonly isCurrent: (link: TransportLink) => boolean;
  /** The socket takes nothing. */
  readonly overflowed: () => void;
}

export class Outgoing {
  readonly #options: OutgoingOptions;

  constructor(options: OutgoingOptions) {
    this.#options = options;
  }

  /** Hello, and what fits beside it; the other requests follow the welcome. */
  greet(link: TransportLink, token: string | undefined): void {
    const { encoding, agent, join } = this.#options;
    const hello = encodeFrame(
      {
        kind: 'hello',
        version: PROTOCOL_VERSION,
        ...(token !== undefined && { token }),
        agent,
        ...(join && { isJoining: true }),
      },
      encoding,
    );
    this.request(link, hello);
  }

  send(link: TransportLink, frame: UpFrame): void {
    this.#sendMessage(link, [encodeFrame(frame, this.#options.encoding)]);
  }

  /** All requests; beside a hello those that fit. */
  request(link: TransportLink, hello?: Uint8Array): void {
    const { encoding, isCurrent } = this.#options;
    const chunk = hello ? [hello] : [];
    let bytes = hello?.length ?? 0;
    const isFull = (): boolean => bytes >= MAX_GREETING_BYTES || chunk.length >= MAX_GREETING_FRAMES;
    const requests = this.#options.requests();
    // Taken one by one: a request that nobody takes any more must wait for the next link.
    while (isCurrent(link) && (!hello || !isFull())) {
      const { value: frame } = requests.next();
      if (!frame) break;
      const encoded = encodeFrame(frame, encoding);
      chunk.push(encoded);
      bytes += encoded.length;
      if (hello || !isFull()) continue;
      this.#sendMessage(link, chunk.splice(0));
      bytes = 0;
    }
    if (chunk.length > 0) this.#sendMessage(link, chunk);
  }

  #sendMessage(link: TransportLink, frames: readonly Uint8Array[]): void {
    if (!this.#options.isCurrent(link)) return;
    link.send(toMessage(frames, this.#options.encoding));
    if (link.bufferedBytes > MAX_BUFFERED_BYTES) this.#options.overflowed();
  }
}
