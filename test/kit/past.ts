// A client that was there, went away and comes back with its position, on the wire: to this pod or another one.
import type { NatsConnection } from '@nats-io/transport-node';
import type { StreamFilters } from './channel-filters.ts';
import { type Expectation, expectComplete } from './checker.ts';
import { FrameClient } from './frame-client.ts';
import type { Gateway } from './gateway.ts';
import { ORDER_STREAM, PAYMENT_STREAM } from './order-events.ts';
import type { Recorder } from './recorder.ts';
import { readStreams } from './stream-truth.ts';
import { customerToken } from './token.ts';

/** Where a client stood that had seen everything there was. */
export interface Past {
  channel: string;
  filters: StreamFilters[];
  position: string;
  /** The ends of the streams at that moment. */
  after: Record<string, number>;
}

/** Of a customer (u-1), who has gone away again when this resolves. Nobody may publish meanwhile. */
export async function pastOf(
  gateway: Gateway,
  connection: NatsConnection,
  channel: string,
  filters: StreamFilters[],
): Promise<Past> {
  using client = await FrameClient.open({ url: gateway.url, token: await customerToken() });
  await client.subscribeUntilLive(channel);
  const truths = await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);
  const after = Object.fromEntries(truths.map(({ stream, lastSequence }) => [stream, lastSequence]));
  return { channel, filters, position: client.positionOf(channel)!, after };
}

export interface Return {
  resets: string[];
  /** Number of events, before and after resets. */
  events: number;
  recorder: Recorder;
}

/**
 * Subscribes with the position and resolves when the client is live and has been checked: what came after the position
 * is complete, or there was a reset and everything since is complete. Nobody may publish meanwhile.
 */
export async function comeBack(
  gateway: Gateway,
  past: Past,
  connection: NatsConnection,
  more: Partial<Expectation> = {},
): Promise<Return> {
  using client = await FrameClient.open({ url: gateway.url, token: await customerToken() });
  const { channel, filters, position, after } = past;
  await client.subscribeUntilLive(channel, { position });
  const resets = client.recorder.resets(channel);
  await expectComplete(connection, client.recorder, channel, {
    filters,
    ...(resets.length === 0 ? { after } : {}),
    ...more,
  });
  return { resets, events: client.recorder.count(channel), recorder: client.recorder };
}
