// Publishes the simulated city as time goes by. Thin: the city decides what happens, the publisher how it is stored.
import type { rez } from '@sluice/schemas';
import { type Clock, wait } from '../clock.ts';
import { ProducerError } from '../errors.ts';
import type { Publisher } from '../publisher.ts';
import type { OrderEvent } from './city/order-life.ts';
import type { City } from './city/simulation.ts';

export interface CityRun {
  readonly city: City;
  readonly publisher: Publisher<typeof rez>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A part of every message id: never the same for two runs. */
  readonly runId: string;
  /** After the first events are stored. */
  readonly onRunning?: () => void;
  /** An event whose fate is unknown: the city goes on without it. */
  readonly onUncertain?: (event: OrderEvent) => void;
}

const TICK_MS = 100;
/** At most so much of the past at once: memory stays bounded after a night's sleep of the machine. */
const SLICE_MS = 60_000;
const FRESH_MS = 3_000;

/** Runs until the signal aborts, through any outage of NATS. Rejects for faults that time does not heal. */
export const runCity = async (run: CityRun, startMs: number): Promise<void> => {
  const { city, clock, signal } = run;
  let count = 0;
  let reachedMs = startMs;
  let isRunning = false;
  while (!signal.aborted) {
    const nowMs = clock.wallMs();
    reachedMs = Math.min(nowMs, reachedMs + SLICE_MS);
    const events = city.advance(reachedMs, nowMs - FRESH_MS);
    await publishInOrder(run, events, () => `${run.runId}-${(++count).toString(36)}`);
    if (reachedMs < nowMs) continue;
    if (!isRunning) run.onRunning?.();
    isRunning = true;
    await wait(clock, TICK_MS, signal);
  }
};

/** One lane per order: its events are stored in order, those of different orders side by side. */
const publishInOrder = async (run: CityRun, events: readonly OrderEvent[], createId: () => string): Promise<void> => {
  const lanes = new Map<string, { event: OrderEvent; id: string }[]>();
  for (const event of events) {
    const lane = lanes.get(event.keys.orderId) ?? [];
    lanes.set(event.keys.orderId, lane);
    lane.push({ event, id: createId() });
  }
  await Promise.all(
    Array.from(lanes.values(), async (lane) => {
      for (const { event, id } of lane) await publishOne(run, event, id);
    }),
  );
};

const publishOne = async (
  { publisher, signal, onUncertain }: CityRun,
  event: OrderEvent,
  id: string,
): Promise<void> => {
  while (!signal.aborted) {
    try {
      await publisher.publish(event.type, event.keys, event.payload, { id });
      return;
    } catch (error) {
      if (!(error instanceof ProducerError)) throw error;
      if (error.code === 'closed' && signal.aborted) return;
      // Certainly not stored: the same id may be sent at any later time.
      if (error.code === 'unavailable') continue;
      if (error.code !== 'unacknowledged') throw error;
      onUncertain?.(event);
      return;
    }
  }
};
