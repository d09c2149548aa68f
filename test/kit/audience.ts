// Clients of several roles on several channels over both streams, as a fault hits them all at once, and the question
// that every fault test ends with: has each of them seen all of its events, in order, each once?
import type { NatsConnection } from '@nats-io/transport-node';
import {
  type StreamFilters,
  adminOrderFilters,
  customerOrderFilters,
  merchantFilters,
  userFilters,
} from './channel-filters.ts';
import { type Expectation, assertComplete } from './checker.ts';
import { eventually } from './eventually.ts';
import { ORDER_STREAM, type OrderEventType, type OrderIds, PAYMENT_STREAM, type StoredEvent } from './order-events.ts';
import type { SdkClient, SdkClientOptions } from './sdk-client.ts';
import { type StreamTruth, type TrueEvent, readStreams } from './stream-truth.ts';
import { matchesSubject } from './subject-match.ts';
import { adminToken, merchantToken } from './token.ts';

const TYPES: readonly OrderEventType[] = [
  'order.status_changed',
  'order.location_updated',
  'payment.confirmed',
  'order.eta_updated',
  'order.created',
  'delivery.arrived',
  'order.status_changed',
  'payment.failed',
];

/** Every kind of event over three orders of two customers; each client of an audience gets some of them. */
export function mixedEvent(index: number): { type: OrderEventType } & OrderIds {
  const order = (Math.floor(index / TYPES.length) % 3) + 1;
  return { type: TYPES[index % TYPES.length]!, orderId: `o-${order}`, userId: order === 3 ? 'u-2' : 'u-1' };
}

/** One channel of one client, and what it carries for that client. */
export interface Seat {
  client: SdkClient;
  channel: string;
  filters: StreamFilters[];
}

export type OpenClient = (options?: Partial<SdkClientOptions>) => Promise<SdkClient>;

export class Audience {
  readonly seats: readonly Seat[];

  private constructor(seats: readonly Seat[]) {
    this.seats = seats;
  }

  /** A customer with two channels, a merchant and an admin, all live. */
  static async open(openClient: OpenClient, more: Partial<SdkClientOptions> = {}): Promise<Audience> {
    const customer = await openClient({ name: 'customer', ...more });
    const merchant = await openClient({ name: 'merchant', encoding: 'json', ...more, token: await merchantToken() });
    const admin = await openClient({ name: 'admin', ...more, token: await adminToken() });
    const audience = new Audience([
      { client: customer, channel: 'order:o-1', filters: customerOrderFilters('u-1', 'o-1') },
      { client: customer, channel: 'user:u-1', filters: userFilters('u-1') },
      { client: merchant, channel: 'merchant:m-1', filters: merchantFilters('m-1') },
      { client: admin, channel: 'order:o-3', filters: adminOrderFilters('o-3') },
    ]);
    for (const { client, channel } of audience.seats) await client.subscribeUntilLive(channel);
    return audience;
  }

  /** Every seat's resets, in order. */
  resets(): string[][] {
    return this.seats.map(({ client, channel }) => client.recorder.resets(channel));
  }

  async live(timeoutMs?: number): Promise<void> {
    for (const { client, channel } of this.seats) await client.live(channel, timeoutMs);
  }

  /**
   * Waits until everybody has the newest event of each stream that is theirs, then checks that each has seen everything.
   * Publishers must have stopped; what they know to be stored may be given, for a cluster that does not know it yet.
   */
  async expectComplete(
    connection: NatsConnection,
    expectation: Omit<Expectation, 'filters'> = {},
    timeoutMs = 30_000,
    acknowledged: readonly StoredEvent[] = [],
  ): Promise<StreamTruth[]> {
    return await expectSeatsComplete(connection, this.seats, expectation, timeoutMs, acknowledged);
  }

  /** Waits until everybody has seen something that is not older than the mark. */
  async hasSeenMark(mark: number, timeoutMs = 30_000): Promise<void> {
    for (const { client, channel } of this.seats) {
      const isSeen = (): boolean =>
        client.recorder.events(channel).some(({ data }) => (data as { mark: number }).mark >= mark);
      await eventually(isSeen, { timeoutMs, intervalMs: 50, what: `${client.recorder.name} to see mark ${mark}` });
    }
  }
}

/** The same for any clients and channels. */
export async function expectSeatsComplete(
  connection: NatsConnection,
  seats: readonly Seat[],
  expectation: Omit<Expectation, 'filters'> = {},
  timeoutMs = 30_000,
  acknowledged: readonly StoredEvent[] = [],
): Promise<StreamTruth[]> {
  const truths = await eventually(() => readAcknowledged(connection, acknowledged), {
    timeoutMs: 60_000,
    intervalMs: 500,
    what: 'streams with everything that was acknowledged',
  });
  for (const { client, channel, filters } of seats) {
    for (const last of newestOf(truths, filters)) await client.has(channel, last, timeoutMs);
    assertComplete(client.recorder, channel, truths, { ...expectation, filters });
  }
  return truths;
}

/** Undefined while a cluster that was torn a moment ago answers from an old copy. */
export async function readAcknowledged(
  connection: NatsConnection,
  acknowledged: readonly StoredEvent[],
): Promise<StreamTruth[] | undefined> {
  const truths = await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);
  const isThere = ({ stream, sequence }: StoredEvent): boolean =>
    truths.some((truth) => truth.stream === stream && truth.lastSequence >= sequence);
  return acknowledged.every(isThere) ? truths : undefined;
}

function newestOf(truths: readonly StreamTruth[], filters: readonly StreamFilters[]): TrueEvent[] {
  return filters.flatMap(({ stream, subjects }) => {
    const truth = truths.find((one) => one.stream === stream);
    const isTheirs = ({ subject }: TrueEvent): boolean => subjects.some((filter) => matchesSubject(filter, subject));
    const newest = truth?.events.findLast(isTheirs);
    return newest ? [newest] : [];
  });
}
