// What a benchmark is, and what it may use: servers and load processes that are all ended when it is over, however it
// ends.
import { createPublisher, type Publisher } from './publisher.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type LoadClients, startLoadClients } from './load-clients.ts';
import type { LoadChannel } from './load-event.ts';
import { type Nats, startNats } from './nats.ts';
import type { handlers as rawHandlers } from './raw-uws.ts';
import type { Figure } from './report.ts';
import { startWorker, type Worker } from './worker.ts';

export interface Benchmark {
  readonly name: string;
  readonly question: string;
  run(stage: Stage): Promise<Figure[]>;
}

export interface Stage {
  /** Fewer sockets and events, to see that it works: the figures mean little. */
  readonly isQuick: boolean;
  /** The full size, or the quick one. */
  size(full: number, quick: number): number;
  log(line: string): void;
  nats(): Promise<Nats>;
  gateway(nats: Nats, settings: Readonly<Record<string, string>>): Promise<Gateway>;
  clients(processes?: number): LoadClients;
  publisher(nats: Nats, channels: readonly LoadChannel[], options: PublisherOptions): Promise<Publisher>;
  rawServer(): Worker<typeof rawHandlers>;
  /** Ends everything that was started, newest first. */
  close(): Promise<void>;
}

export interface PublisherOptions {
  readonly payloadBytes: number;
  readonly maxInFlight?: number;
}

export const createStage = (isQuick: boolean, log: (line: string) => void): Stage => {
  const endings: (() => Promise<void>)[] = [];
  const started = <T extends { stop(): Promise<void> }>(one: T): T => {
    endings.push(() => one.stop());
    return one;
  };
  return {
    isQuick,
    size: (full, quick) => (isQuick ? quick : full),
    log,
    nats: async () => started(await startNats()),
    gateway: async (nats, settings) => started(await startGateway(nats.url, settings)),
    clients: (processes) => started(startLoadClients(processes)),
    publisher: async (nats, channels, options) => {
      const publisher = started(createPublisher());
      await publisher.setup(nats, channels, options);
      return publisher;
    },
    rawServer: () => started(startWorker<typeof rawHandlers>('./raw-uws.js')),
    close: async () => {
      for (const end of endings.splice(0).toReversed()) {
        // One that will not end must not keep the others alive.
        await end().catch((error: unknown) => log(String(error)));
      }
    },
  };
};
