// One incarnation of a stream's consumer: its own name and inbox, deliveries checked for contiguity, flow control and
// stalls answered. Knows nothing of what came before or comes after it; the reader makes a new one at any doubt.

import { randomBytes } from 'node:crypto';
import { DeliverySubject } from './delivery-subject.ts';
import { createPushConsumer } from './jetstream-api.ts';
import type { ConsumerReading } from './jetstream-api.ts';
import {
  expiresHeader,
  headerText,
  isDeleteMarker,
  lastHeader,
  numberHeader,
  replyBytes,
  statusOf,
  subjectText,
} from './message-bytes.ts';
import type { MessageLike } from './message-bytes.ts';
import type { NatsLink } from './nats.ts';

export const HEARTBEAT_MS = 1_000;
const INACTIVE_THRESHOLD_MS = 10_000;
const CREATE_TIMEOUT_MS = 3_000;

export interface Delivery {
  readonly sequence: number;
  readonly timeMs: number;
  /** Messages of the stream after this one, when it was sent. */
  readonly pending: number;
}

export interface PushConsumerEvents {
  /** A delivery with a contiguous consumer sequence. `delivery` is reused: read it, do not keep it. */
  deliver(
    delivery: Delivery,
    subject: string,
    payload: Uint8Array,
    isMarker: boolean,
    expiresAtMs: number | undefined,
  ): void;
  /** Deliveries are missing: nothing more is delivered from this consumer. */
  broken(cause: 'gap' | 'heartbeat_ahead'): void;
}

export interface PushConsumerOptions {
  readonly link: NatsLink;
  readonly stream: string;
  readonly from: { readonly sequence: number } | { readonly timeMs: number };
  readonly events: PushConsumerEvents;
  /** Absent where no type of the stream expires. */
  readonly mayExpire?: ((subject: string) => boolean) | undefined;
}

export class PushConsumer {
  readonly name: string;
  readonly #options: PushConsumerOptions;
  readonly #delivery = new DeliverySubject();
  readonly #inbox: string;
  readonly #subscription: { unsubscribe(): void };
  #consumerSequence = 0;
  #isOpen = true;
  #wasHeard = true;

  /** Subscribes; `create` makes the consumer at the server. Throws a GatewayError if the connection is closed. */
  constructor(options: PushConsumerOptions) {
    this.#options = options;
    this.name = `sluice-${randomBytes(9).toString('base64url')}`;
    this.#inbox = options.link.newInbox();
    this.#subscription = options.link.subscribe(this.#inbox, (message) => {
      if (this.#isOpen) this.#receive(message);
    });
  }

  create(): Promise<ConsumerReading> {
    const { link, stream, from } = this.#options;
    return createPushConsumer(
      link,
      stream,
      {
        name: this.name,
        deliverSubject: this.#inbox,
        from,
        heartbeatMs: HEARTBEAT_MS,
        inactiveThresholdMs: INACTIVE_THRESHOLD_MS,
      },
      CREATE_TIMEOUT_MS,
    );
  }

  /** Number of deliveries so far. */
  get consumerSequence(): number {
    return this.#consumerSequence;
  }

  /** Whether anything came since this was last asked: cheaper than a clock reading per event. */
  takeHeard(): boolean {
    const wasHeard = this.#wasHeard;
    this.#wasHeard = false;
    return wasHeard;
  }

  /** Nothing is delivered any more. The consumer at the server goes by `deleteConsumer`, else by its threshold. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#subscription.unsubscribe();
  }

  #receive(message: MessageLike): void {
    this.#wasHeard = true;
    const reply = replyBytes(message);
    // A stored event always comes with a $JS.ACK subject that the server makes, whatever its headers claim.
    if (reply === undefined || !this.#delivery.parse(reply)) {
      this.#receiveStatus(message, reply);
      return;
    }
    const delivery = this.#delivery;
    if (delivery.consumerSequence !== this.#consumerSequence + 1) {
      this.#break('gap');
      return;
    }
    this.#consumerSequence = delivery.consumerSequence;
    const payload = message.data;
    const isMarker = payload.length === 0 && isDeleteMarker(headerText(message));
    const subject = subjectText(message);
    const { mayExpire, events } = this.#options;
    const expiresAtMs = mayExpire?.(subject) === true ? expiresHeader(headerText(message)) : undefined;
    events.deliver(delivery, subject, payload, isMarker, expiresAtMs);
  }

  #receiveStatus(message: MessageLike, reply: Uint8Array | undefined): void {
    const block = headerText(message);
    if (statusOf(block) !== 100) return;
    const { link } = this.#options;
    if (reply !== undefined) {
      link.publish(Buffer.from(reply).toString('latin1')); // flow control: go on
      return;
    }
    const stalled = lastHeader(block, 'Nats-Consumer-Stalled');
    if (stalled !== undefined) link.publish(stalled);
    const lastConsumerSequence = numberHeader(block, 'Nats-Last-Consumer') ?? 0;
    if (lastConsumerSequence > this.#consumerSequence) this.#break('heartbeat_ahead');
  }

  #break(cause: 'gap' | 'heartbeat_ahead'): void {
    this.close();
    this.#options.events.broken(cause);
  }
}
