// The durable consumers of a service: what it must act on, each message until it is acknowledged. All copies of a service
// share one consumer; one copy at a time gets the messages (in order), another takes over when it is gone. Lanes keep what
// belongs together in order, and the rest side by side.
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type JsMsg,
  ReplayPolicy,
} from '@nats-io/jetstream';
import { type Clock, wait } from '../clock.ts';
import type { Connection } from '../nats.ts';

export interface InboxMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly sequence: number;
  readonly timeMs: number;
  /** From 1. More: somebody had it before and did not finish. */
  readonly deliveries: number;
  /** False when the server may have given the message to somebody else meanwhile. */
  isMine(): boolean;
}

export interface InboxOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly stream: string;
  readonly durable: string;
  readonly filters: readonly string[];
  /** A copy that is silent for so long has lost what it had not acknowledged. */
  readonly ackWaitMs: number;
  /** False: all copies get messages at the same time. */
  readonly isOneAtATime: boolean;
  readonly signal: AbortSignal;
  laneOf(message: InboxMessage): string;
  /** Resolves when the message is done with; rejects to see it again. */
  handle(message: InboxMessage): Promise<void>;
  onFault(fault: { readonly cause: unknown; readonly deliveries: number; readonly subject: string }): void;
}

const NS_PER_MS = 1_000_000;
const MAX_PENDING = 512;
const SHARED_PULL = 8;
const PULL_MS = 2_000;
const RETRY_MS = 500;
const GROUP = 'copies';
const MAX_REDELIVERY_MS = 5_000;

export class Inbox {
  readonly #options: InboxOptions;
  readonly #lanes = new Map<string, Promise<void>>();
  /** By sequence: a message that comes again while it is waited for only renews its acknowledgement. */
  readonly #open = new Map<number, { message: JsMsg; receivedMs: number }>();
  #messages: ConsumerMessages | undefined;
  #hasWorked = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Creates the consumer, which may exist. Rejects if the server does not let it. */
  async prepare(): Promise<void> {
    const { connection, stream, durable, filters, ackWaitMs, isOneAtATime } = this.#options;
    const manager = await jetstreamManager(connection);
    await manager.consumers.add(stream, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      ack_wait: ackWaitMs * NS_PER_MS,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      filter_subjects: [...filters],
      max_ack_pending: MAX_PENDING,
      max_deliver: -1,
      ...(isOneAtATime && {
        priority_groups: [GROUP],
        priority_policy: 'pinned_client',
        priority_timeout: 2 * PULL_MS * NS_PER_MS,
      }),
    });
  }

  /** Until the signal aborts; then waits for what is being handled. */
  async run(): Promise<void> {
    const { signal, clock } = this.#options;
    const stop = (): void => void this.#messages?.close();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      try {
        await this.#consume();
      } catch (cause) {
        this.#options.onFault({ cause, deliveries: 0, subject: this.#options.durable });
      }
      await wait(clock, RETRY_MS, signal);
    }
    signal.removeEventListener('abort', stop);
    await Promise.all(this.#lanes.values());
    if (this.#hasWorked) await this.#handOver();
  }

  async #consume(): Promise<void> {
    const { connection, stream, durable, isOneAtATime, signal } = this.#options;
    const consumer = await jetstream(connection).consumers.get(stream, durable);
    const messages = await consumer.consume({
      // Those who share take a few each: what one holds the others cannot have.
      max_messages: isOneAtATime ? MAX_PENDING / 2 : SHARED_PULL,
      expires: PULL_MS,
      ...(isOneAtATime && { group: GROUP }),
    });
    this.#messages = messages;
    // Closing is waited for by the loop: it ends only where somebody iterates.
    if (signal.aborted) void messages.close();
    for await (const message of messages) {
      if (signal.aborted) break;
      this.#take(message);
    }
  }

  /** The next copy need not wait until this one's silence is noticed. */
  async #handOver(): Promise<void> {
    const { connection, stream, durable, isOneAtATime } = this.#options;
    if (!isOneAtATime || connection.isClosed()) return;
    try {
      // What was handed back must be with the server first.
      await connection.flush();
      await (await jetstreamManager(connection)).consumers.unpin(stream, durable, GROUP);
    } catch {
      // It takes a few seconds longer then.
    }
  }

  #take(message: JsMsg): void {
    this.#hasWorked = true;
    const receivedMs = this.#options.clock.monotonicMs();
    const known = this.#open.get(message.seq);
    if (known) {
      known.message = message;
      known.receivedMs = receivedMs;
      return;
    }
    const entry = { message, receivedMs };
    this.#open.set(message.seq, entry);
    const { clock, ackWaitMs } = this.#options;
    const item: InboxMessage = {
      subject: message.subject,
      data: message.data,
      sequence: message.seq,
      timeMs: Math.floor(message.info.timestampNanos / NS_PER_MS),
      deliveries: message.info.deliveryCount,
      isMine: () => clock.monotonicMs() - entry.receivedMs < ackWaitMs * 0.7,
    };
    const lane = this.#options.laneOf(item);
    const turn = (this.#lanes.get(lane) ?? Promise.resolve()).then(() => this.#handle(item, entry));
    this.#lanes.set(lane, turn);
    void turn.then(() => {
      if (this.#lanes.get(lane) === turn) this.#lanes.delete(lane);
    });
  }

  async #handle(item: InboxMessage, entry: { message: JsMsg }): Promise<void> {
    if (this.#options.signal.aborted) {
      entry.message.nak();
      this.#open.delete(item.sequence);
      return;
    }
    try {
      await this.#options.handle(item);
      entry.message.ack();
    } catch (cause) {
      this.#options.onFault({ cause, deliveries: item.deliveries, subject: item.subject });
      entry.message.nak(Math.min(100 * 2 ** item.deliveries, MAX_REDELIVERY_MS));
    } finally {
      this.#open.delete(item.sequence);
    }
  }
}
