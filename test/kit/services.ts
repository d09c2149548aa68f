// What tests of services need: the streams of the reference domain, commands as a gateway would store them, and what a
// stream holds, decoded.
import { fileURLToPath } from 'node:url';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import {
  applyStreams,
  carrierOf,
  createGrants,
  type RunningService,
  SERVICES,
  type ServiceFault,
  startService,
  type StreamOptions,
} from '@sluice/producers';
import {
  type Actor,
  commandSubject,
  packValue,
  mustCompileCatalogue,
  rez,
  type RezCommands,
  type RezEvents,
  unpackValue,
} from '@sluice/schemas';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { startProcess, type TestProcess } from './process.ts';

export interface StoredEvent {
  readonly subject: string;
  readonly sequence: number;
  readonly payload: Record<string, unknown>;
}

/** All streams of the catalogue, those of its commands and grants too. */
export async function createServiceStreams(connection: NatsConnection, options: StreamOptions = {}): Promise<void> {
  const manager = await jetstreamManager(connection);
  await applyStreams(manager, mustCompileCatalogue(rez), options);
}

export interface SentCommand {
  readonly subject: string;
  readonly commandId: string;
  readonly sub: string;
}

let sent = 0;

/** Stores a command with the actor that a gateway would have verified. */
export async function sendCommand<N extends keyof RezCommands>(
  connection: NatsConnection,
  command: N,
  actor: Partial<Actor> & { readonly sub: string },
  data: RezCommands[N],
  commandId: string = `c-${process.pid}-${++sent}`,
): Promise<SentCommand> {
  const subject = commandSubject(command, actor.sub, commandId);
  const receivedAt = new Date().toISOString();
  const envelope = { commandId, command, actor: { role: 'customer', name: actor.sub, ...actor }, data, receivedAt };
  await jetstream(connection).publish(subject, JSON.stringify(envelope));
  return { subject, commandId, sub: actor.sub };
}

/** Publishes an event as any producer may. */
export async function storeEvent<T extends keyof RezEvents>(
  connection: NatsConnection,
  type: T,
  keys: readonly string[],
  payload: RezEvents[T],
  more: Readonly<Record<string, string>> = {},
): Promise<number> {
  const [family = '', token = ''] = type.split('.');
  const header = headers();
  for (const [name, value] of Object.entries(more)) header.set(name, value);
  const subject = [family, ...keys, token].join('.');
  return (await jetstream(connection).publish(subject, packValue(payload), { headers: header })).seq;
}

/** Everything of a stream that matches, oldest first. */
export async function readEvents(connection: NatsConnection, stream: string, filter: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  const consumer = await jetstream(connection).consumers.get(stream, { filter_subjects: [filter] });
  const { num_pending: total } = await consumer.info();
  if (total === 0) return [];
  for await (const message of await consumer.consume({ max_messages: 1_000 })) {
    const { data } = message;
    const payload = (data[0] === 0x7b ? message.json() : unpackValue(data.slice())) as Record<string, unknown>;
    events.push({ subject: message.subject, sequence: message.seq, payload });
    if (events.length >= total) break;
  }
  return events;
}

export interface CommandOutcome {
  readonly kind: 'applied' | 'rejected';
  readonly commandId: string;
  readonly userId: string;
  readonly payload: Record<string, unknown>;
}

export async function readOutcomes(connection: NatsConnection): Promise<CommandOutcome[]> {
  return (await readEvents(connection, 'USER', 'command.>')).map(({ subject, payload }) => {
    const [, userId = '', , commandId = '', kind = ''] = subject.split('.');
    return { kind: kind as CommandOutcome['kind'], commandId, userId, payload };
  });
}

/** What became of one command, once it is stored. */
export async function outcomeOf(connection: NatsConnection, { sub, commandId }: SentCommand): Promise<CommandOutcome> {
  return await eventually(
    async () => {
      const [event] = await readEvents(connection, 'USER', `command.${sub}.*.${commandId}.*`);
      if (!event) return undefined;
      const kind = event.subject.endsWith('.applied') ? ('applied' as const) : ('rejected' as const);
      return { kind, commandId, userId: sub, payload: event.payload };
    },
    { timeoutMs: 20_000, what: `an outcome of ${commandId}` },
  );
}

export interface ServiceFixtures {
  nats: NatsServer;
  /** The streams exist. */
  connection: NatsConnection;
  /** Starts a copy of a service on a connection of its own; it ends with the test, which fails if the copy had faults. */
  run: (name: string, isOneAtATime?: boolean) => Promise<RunningService>;
}

const ACK_WAIT_MS = 5_000;

export const serviceTest = test.extend<ServiceFixtures>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads which fixtures are wanted from it
  nats: async ({}, use) => {
    await using nats = await startNatsServer();
    await use(nats);
  },
  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await createServiceStreams(connection);
    await use(connection);
  },
  run: async ({ nats, connection }, use) => {
    void connection;
    const running: RunningService[] = [];
    const connections: NatsConnection[] = [];
    const faults: ServiceFault[] = [];
    await use(async (name, isOneAtATime = true) => {
      const own = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
      connections.push(own);
      const service = await startService(SERVICES[name]!, {
        connection: own,
        ackWaitMs: ACK_WAIT_MS,
        isOneAtATime,
        carryOut: carrierOf(await createGrants({ connection: own })),
        onFault: (fault) => faults.push(fault),
      });
      running.push(service);
      return service;
    });
    await Promise.all(running.map((service) => service.stop()));
    await Promise.all(connections.map((each) => each.close()));
    expect(faults).toEqual([]);
  },
});

const CLI = fileURLToPath(new URL('../../producers/dist/cli.js', import.meta.url));

/** A copy of a service as a process of its own, from dist, that can be killed. */
export function startServiceProcess(
  natsUrl: string,
  name: string,
  ackWaitSeconds: number = 2,
  env: Readonly<Record<string, string>> = {},
): Promise<TestProcess> {
  return startProcess({
    name: `service ${name}`,
    command: process.execPath,
    args: [CLI, 'service', name, '--ack-wait', String(ackWaitSeconds)],
    env: { PATH: process.env['PATH'] ?? '', SLUICE_NATS_URL: natsUrl, ...env },
    isReady: (line) => line.includes('"kind":"running"'),
  });
}
