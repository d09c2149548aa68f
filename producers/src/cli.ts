// The command line of the producers: the only file here that reads arguments, environment and signals.
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { systemClock } from './clock.ts';
import { createCommandSender } from './command-sender.ts';
import { connectTo, type Connection } from './nats.ts';
import { createPublisher } from './publisher.ts';
import { seededRandom } from './random.ts';
import { runServices } from './service/host.ts';
import { SERVICES } from './services/registry.ts';
import { keysOf } from './sources/city/order-life.ts';
import { City, SHOWCASE_ORDER, toOrder } from './sources/city/simulation.ts';
import { createTown } from './sources/city/town.ts';
import { type CityRun, runCity } from './sources/city.ts';
import { createLoadPublisher } from './sources/load.ts';
import { runTown, type TownRun } from './sources/town.ts';
import { applyStreams } from './streams.ts';

const USAGE = `Usage: cli.js city [--orders 200] [--rate 1] [--seed n] [--only-orders] [--services]
                                                           simulate a city until stopped; with the services that it needs
       cli.js load [--channels 100] [--bytes 200] [--count n] [--rate events-per-second] [--json]
                                                           publish as fast as it goes, or at a rate, and report
       cli.js apply-streams [--replicas 1] [--max-bytes n]  create the catalogue's streams that are missing
       cli.js service <name|all> [--ack-wait seconds]       run a service (or all of them) until stopped
NATS is found through SLUICE_NATS_URL (servers separated by commas; default nats://127.0.0.1:4222), services
also through SLUICE_NATS_USER, SLUICE_NATS_PASSWORD and SLUICE_NATS_INBOX_PREFIX.
`;

/** The city has been alive for so long when it is first seen: all stages of an order are there at once. */
const PAST_MS = 300_000;
const CLOSE_TIMEOUT_MS = 2_000;

class UsageError extends Error {}

const say = (line: Readonly<Record<string, unknown>>): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const serversOf = (env: NodeJS.ProcessEnv): string[] =>
  (env['SLUICE_NATS_URL'] || 'nats://127.0.0.1:4222')
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '');

/** As the gateway is told them. */
const credentialsOf = (env: NodeJS.ProcessEnv): { user?: string; pass?: string } => {
  const { SLUICE_NATS_USER: user, SLUICE_NATS_PASSWORD: pass } = env;
  return user ? { user, ...(pass && { pass }) } : {};
};

const toNumber = (name: string, text: string, isGood: (value: number) => boolean): number => {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!isGood(value)) throw new UsageError(`--${name} cannot be "${text}"`);
  return value;
};

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/** Ends with the process's signals, and with its parent: a child with an IPC channel must not outlive it. */
const stopSignal = (): AbortSignal => {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGTERM', stop).once('SIGINT', stop);
  if (process.connected) process.once('disconnect', stop);
  return controller.signal;
};

const city = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      orders: { type: 'string', default: '200' },
      rate: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      'only-orders': { type: 'boolean', default: false },
      services: { type: 'boolean', default: false },
    },
  });
  const orders = toNumber('orders', values.orders, (value) => isCount(value) && value <= 100_000);
  const rate = toNumber('rate', values.rate, (value) => value >= 0.01 && value <= 100);
  const seed = toNumber('seed', values.seed, Number.isSafeInteger);
  const servers = serversOf(process.env);
  const signal = stopSignal();
  const stopped = new Promise<'stopped'>((resolve) => {
    signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  const connecting = connectTo({ servers, connect: { name: 'sluice-city' }, waitForServer: true });
  const connection = await Promise.race([connecting, stopped]);
  if (connection === 'stopped') process.exit(0);
  const publisher = await createPublisher({ catalogue: rez, connection });
  publisher.onConnection((change) => {
    if (!signal.aborted) say({ kind: `nats_${change}` });
  });
  // What waits for an acknowledgement must not keep a city that is to end.
  const closed = stopped.then(() => publisher.close(CLOSE_TIMEOUT_MS));

  const startMs = systemClock.wallMs() - PAST_MS;
  const runId = randomUUID().slice(0, 8);
  let toldPast = (): void => undefined;
  const pastTold = new Promise<void>((resolve) => (toldPast = resolve));
  signal.addEventListener('abort', () => toldPast(), { once: true });
  const run: CityRun = {
    city: new City({ orders, startMs, random: seededRandom(seed), pace: rate }),
    publisher,
    clock: systemClock,
    signal,
    runId,
    onRunning: () => {
      say({ kind: 'running', source: 'city', orders, rate, seed, servers, watch: `order:o-${SHOWCASE_ORDER}` });
      toldPast();
    },
    onUncertain: ({ type, keys }) => say({ kind: 'unacknowledged', type, orderId: keys.orderId }),
  };
  await Promise.all([
    runCity(run, startMs),
    // Whoever has just started a city wants to see orders move: what else there is comes after them.
    pastTold.then(() =>
      Promise.all([
        values.services && !signal.aborted ? host({ names: Object.keys(SERVICES), servers, signal }) : undefined,
        values['only-orders'] ? undefined : town({ connection, publisher, signal, runId, seed, pace: rate }),
      ]),
    ),
  ]);
  await closed;
  await connection.close();
};

interface Town extends Pick<TownRun, 'publisher' | 'signal'> {
  readonly connection: Connection;
  readonly runId: string;
  readonly seed: number;
  readonly pace: number;
}

const town = async ({ connection, publisher, signal, runId, seed, pace }: Town): Promise<void> => {
  const commands = createCommandSender(connection, systemClock);
  let count = 0;
  const createId = (): string => `${runId}-${(++count).toString(36)}`;
  const startMs = systemClock.wallMs();
  // Another chance than the orders', so that neither changes the other's story.
  const random = seededRandom(seed + 1);
  try {
    await runTown({
      town: createTown({ startMs, random, pace, createId }),
      ...{ publisher, commands, signal, clock: systemClock },
      onLost: (act, reason) => say({ kind: 'lost', what: act.kind === 'command' ? act.command : act.type, reason }),
    });
  } finally {
    commands.close();
  }
};

const load = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      channels: { type: 'string', default: '100' },
      bytes: { type: 'string', default: '200' },
      count: { type: 'string' },
      rate: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const count = values.count === undefined ? undefined : toNumber('count', values.count, isCount);
  const ratePerSecond = values.rate === undefined ? undefined : toNumber('rate', values.rate, (rate) => rate > 0);
  const channels = toNumber('channels', values.channels, isCount);
  const publisher = await createLoadPublisher({
    servers: serversOf(process.env),
    connect: { name: 'sluice-load' },
    channels: Array.from({ length: channels }, (_, index) => keysOf(toOrder(index + 1))),
    payloadBytes: toNumber('bytes', values.bytes, isCount),
    encoding: values.json ? 'json' : 'msgpack',
  });
  say({ kind: 'running', source: 'load', channels });
  try {
    const signal = stopSignal();
    const run = {
      signal,
      ...(count !== undefined && { count }),
      ...(ratePerSecond !== undefined && { ratePerSecond }),
    };
    say({ kind: 'done', ...(await publisher.run(run)) });
  } finally {
    await publisher.close();
  }
};

const apply = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: { replicas: { type: 'string', default: '1' }, 'max-bytes': { type: 'string' } },
  });
  const replicas = toNumber('replicas', values.replicas, (value) => isCount(value) && value <= 5);
  const maxBytes = values['max-bytes'] === undefined ? undefined : toNumber('max-bytes', values['max-bytes'], isCount);
  const connection = await connectTo({ servers: serversOf(process.env), connect: { name: 'sluice-apply-streams' } });
  try {
    const catalogue = mustCompileCatalogue(rez);
    const options = { replicas, ...(maxBytes !== undefined && { maxBytes }) };
    for (const report of await applyStreams(await jetstreamManager(connection), catalogue, options)) say({ ...report });
  } finally {
    await connection.close();
  }
};

const SECOND_MS = 1_000;

const service = async (args: readonly string[]): Promise<void> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { 'ack-wait': { type: 'string', default: '10' } },
  });
  const names = positionals.includes('all') ? Object.keys(SERVICES) : positionals;
  const unknown = names.filter((name) => !Object.hasOwn(SERVICES, name));
  if (names.length === 0 || unknown.length > 0) {
    throw new UsageError(`Which service? all, or some of ${Object.keys(SERVICES).join(', ')}`);
  }
  const ackWaitMs = toNumber('ack-wait', values['ack-wait'], (value) => value >= 1 && value <= 3_600) * SECOND_MS;
  await host({ names, servers: serversOf(process.env), signal: stopSignal(), ackWaitMs });
};

interface Host {
  readonly names: readonly string[];
  readonly servers: readonly string[];
  readonly signal: AbortSignal;
  readonly ackWaitMs?: number;
}

const host = async ({ names, servers, signal, ackWaitMs }: Host): Promise<void> => {
  let missing = names.length;
  const inboxPrefix = process.env['SLUICE_NATS_INBOX_PREFIX'];
  await runServices({
    servers,
    connect: {
      name: names.length === 1 ? `sluice-service-${names[0]}` : 'sluice-services',
      ...credentialsOf(process.env),
    },
    ...(inboxPrefix && { inboxPrefix }),
    waitForServer: true,
    services: names.map((name) => SERVICES[name]!),
    ...(ackWaitMs !== undefined && { ackWaitMs }),
    signal,
    onFault: ({ cause, ...fault }) => say({ kind: 'fault', ...fault, reason: String(cause) }),
    onRunning: ({ name, rebuilt }) => {
      say({ kind: 'service', service: name, events: rebuilt.events, rebuiltMs: Math.round(rebuilt.ms) });
      if (--missing === 0) say({ kind: 'running', source: 'service', services: names, servers });
    },
  });
};

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  city,
  load,
  'apply-streams': apply,
  service,
};

const main = async ([name = '', ...args]: readonly string[]): Promise<void> => {
  const command = COMMANDS[name];
  try {
    if (!command) throw new UsageError(name === '' ? 'Which source?' : `Unknown command "${name}"`);
    await command(args);
    // An IPC channel that is still open would keep the process.
    if (process.connected) process.disconnect();
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${isUsage ? USAGE : ''}`);
    process.exit(isUsage ? 2 : 1);
  }
};

await main(process.argv.slice(2));
