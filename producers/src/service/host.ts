// Runs services in one process until it is told to stop, on one connection, with grants for their effects.
import { connectTo, type Connection, type Servers } from '../nats.ts';
import { createGrants, type Grants } from '../grants.ts';
import type { AnyService, Effect } from './definition.ts';
import { type RunningService, type ServiceFault, startService } from './service.ts';

export interface HostOptions extends Servers {
  readonly services: readonly AnyService[];
  readonly signal: AbortSignal;
  readonly ackWaitMs?: number;
  /** Where this user may be answered. */
  readonly inboxPrefix?: string;
  readonly onFault: (fault: ServiceFault) => void;
  readonly onRunning: (service: RunningService) => void;
}

/** Resolves once everything has ended after the signal. Rejects with `connect_failed`. */
export const runServices = async ({
  services,
  signal,
  ackWaitMs,
  inboxPrefix,
  onFault,
  onRunning,
  ...servers
}: HostOptions): Promise<void> => {
  const prefix = inboxPrefix === undefined ? {} : { inboxPrefix };
  const connection = await connectTo({ ...servers, connect: { ...servers.connect, ...prefix } });
  const grants = await createGrants({ connection, ...prefix });
  const carryOut = carrierOf(grants);
  const options = { connection, carryOut, onFault, ...prefix, ...(ackWaitMs !== undefined && { ackWaitMs }) };
  const starting = services.map(async (service) => {
    const running = await startService(service, options);
    onRunning(running);
    return running;
  });
  await aborted(signal);
  // What is still starting waits for a server or a stream that may never come: closing the connection ends it.
  const started: RunningService[] = [];
  for (const each of starting) void each.then((service) => started.push(service)).catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all(started.map((service) => service.stop()));
  await grants.close();
  await close(connection);
};

export const carrierOf =
  (grants: Grants) =>
  async (effect: Effect): Promise<void> => {
    if (effect.kind === 'revoke') return await grants.revoke(effect.channel, effect.userId);
    const { expiresAt } = effect;
    await grants.grant(
      effect.channel,
      effect.userId,
      expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) },
    );
  };

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const close = async (connection: Connection): Promise<void> => {
  if (!connection.isClosed()) await connection.close();
};
