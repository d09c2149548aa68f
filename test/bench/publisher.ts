// The benchmark's handle on the process that publishes the load.
import type { PublisherOptions } from './benchmark.ts';
import type { LoadChannel } from './load-event.ts';
import type { handlers, PublishArgument, Published } from './load-publisher.ts';
import type { Nats } from './nats.ts';
import { startWorker } from './worker.ts';

export interface Publisher {
  readonly pid: number;
  setup(nats: Nats, channels: readonly LoadChannel[], options: PublisherOptions): Promise<void>;
  publish(argument: PublishArgument): Promise<Published>;
  allow(upTo: number): Promise<void>;
  /** Ends the run that is under way; its `publish` resolves when everything is acknowledged. */
  finish(): Promise<void>;
  published(): Promise<number>;
  counters(): Promise<Uint32Array>;
  places(): Promise<Uint32Array>;
  stop(): Promise<void>;
}

/** Half of what the server's ingest queue takes before it drops (10,000 events). */
const MAX_IN_FLIGHT = 5_000;

export const createPublisher = (): Publisher => {
  const worker = startWorker<typeof handlers>('./load-publisher.js');
  return {
    pid: worker.pid,
    setup: (nats, channels, { payloadBytes, maxInFlight = MAX_IN_FLIGHT }) =>
      worker.call('setup', { host: '127.0.0.1', port: nats.port, channels, payloadBytes, maxInFlight }),
    publish: (argument) => worker.call('publish', argument),
    allow: (upTo) => worker.call('allow', upTo),
    finish: () => worker.call('stop', undefined),
    published: () => worker.call('published', undefined),
    counters: () => worker.call('counters', undefined),
    places: () => worker.call('places', undefined),
    stop: () => worker.stop(),
  };
};
