// What a ping tells: how far each stream is settled for *all* subscriptions of a connection, so that the position of a
// quiet channel does not age until retention passes it. Pure.
import type { Tail } from '../log/tail.ts';
import type { Subscription } from './subscription.ts';

type Head = [epoch: string, sequence: number, timeMs: number];

/** Streams of which something is unknown (a subscription that is still opening) are left out. */
export const headsOf = (subscriptions: readonly Pick<Subscription, 'channel' | 'settled'>[]): Head[] => {
  const lowest = new Map<Tail, number>();
  for (const subscription of subscriptions) {
    for (const [index, { tail }] of subscription.channel.streams.entries()) {
      const settled = subscription.settled(index) ?? 0;
      lowest.set(tail, Math.min(settled, lowest.get(tail) ?? Number.POSITIVE_INFINITY));
    }
  }
  const heads: Head[] = [];
  for (const [tail, sequence] of lowest) {
    // Only a sequence that an event vouches for can be checked when the client comes back.
    const timeMs = sequence === tail.head ? tail.headTimeMs : tail.timeOf(sequence);
    if (sequence > 0 && timeMs) heads.push([tail.epoch, sequence, timeMs]);
  }
  return heads;
};
