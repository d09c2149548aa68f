// The order in which the local stack comes up: NATS, streams, then the gateway beside the city with its services.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { applyStreams } from '@sluice/producers';
import { mustCompileCatalogue, rez, withCanary } from '@sluice/schemas';
import { DeployError } from '../errors.ts';
import { launchNatsServer } from '../nats-server/launch.ts';
import { resolveNatsServer } from '../nats-server/resolve.ts';
import type { Progress } from '../nats-server/toolbox.ts';
import { builtFile, folder } from './folder.ts';
import { lastLines, type Part, startPart } from './part.ts';
import { choosePort } from './ports.ts';
import type { RunningStack } from './run-file.ts';
import type { Stack } from './stack.ts';
import { signToken, tokenSecret } from './tokens.ts';

const CANARY_STREAM = 'SLUICE_CANARY';
const NATS_PORT = 4222;
const GATEWAY_PORT = 8080;
const OPERATIONS_PORT = 8081;
// The city never stops publishing, and a checkout is no place for seven days of it.
const LOCAL_STREAM_MAX_BYTES = 512 * 1024 * 1024;
// The gateway fills its tail before it is ready.
const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 25;
const LIVE_ORDER_TIMEOUT_MS = 1_500;

export interface Standing extends RunningStack {
  readonly liveOrderId?: string;
}

/** Brings everything up, or stops at the first thing that does not. The parts belong to the stack from their start on. */
export async function bringUp(stack: Stack, report: (progress: Progress) => void): Promise<Standing> {
  await mkdir(folder.logs, { recursive: true });
  const secret = await tokenSecret();
  const natsUrl = await provideNats(stack, report);
  const connection = await connect({ servers: natsUrl, name: 'sluice start' });
  try {
    await createStreams(connection, report);
    const gateway = await startGateway(stack, natsUrl, secret);
    // Both need only the streams; one after the other would make a second start a third slower.
    const citySince = new Date();
    await startCity(stack, natsUrl);
    await waitUntilReady(gateway.part, `${gateway.operationsUrl}/readyz`);
    report({ kind: 'step', text: 'The gateway is ready, and the city publishes' });
    const token = await signToken(secret, { sub: 'u-1', role: 'admin' });
    const liveOrderId = await findLiveOrder(connection, citySince);
    const { gatewayUrl, operationsUrl } = gateway;
    const running = { pid: process.pid, natsUrl, gatewayUrl, operationsUrl, token };
    return liveOrderId === undefined ? running : { ...running, liveOrderId };
  } finally {
    await connection.close();
  }
}

async function provideNats(stack: Stack, report: (progress: Progress) => void): Promise<string> {
  const resolved = await resolveNatsServer({ onProgress: report });
  if (resolved.source === 'url') {
    report({ kind: 'step', text: `Using the NATS server at ${resolved.url} (SLUICE_NATS_URL)` });
    return resolved.url;
  }
  const logFile = join(folder.logs, 'nats-server.log');
  const server = await launchNatsServer({
    binary: resolved.path,
    storeDir: folder.data,
    port: await choosePort(NATS_PORT),
    logFile,
    detached: true,
  });
  await addPart(stack, {
    name: 'nats-server',
    pid: server.pid,
    exited: server.exited.then(({ code, signal }) => signal ?? `code ${code}`),
    logFile,
    stop: server.stop,
  });
  report({ kind: 'step', text: `nats-server ${resolved.version} runs at ${server.url}` });
  return server.url;
}

async function createStreams(connection: NatsConnection, report: (progress: Progress) => void): Promise<void> {
  const catalogue = mustCompileCatalogue(withCanary(rez, CANARY_STREAM));
  const reports = await applyStreams(await jetstreamManager(connection), catalogue, {
    maxBytes: LOCAL_STREAM_MAX_BYTES,
  });
  const created = reports.filter(({ kind }) => kind === 'created').map(({ stream }) => stream);
  if (created.length > 0) report({ kind: 'step', text: `Created the streams ${created.join(', ')}` });
}

async function startGateway(
  stack: Stack,
  natsUrl: string,
  secret: string,
): Promise<{ part: Part; gatewayUrl: string; operationsUrl: string }> {
  const port = await choosePort(GATEWAY_PORT);
  const operationsPort = await choosePort(OPERATIONS_PORT);
  const part = startPart('gateway', requireBuilt('gateway', 'main.js'), [], {
    SLUICE_NATS_URL: natsUrl,
    SLUICE_HOST: '127.0.0.1',
    SLUICE_PORT: String(port),
    SLUICE_OPERATIONS_HOST: '127.0.0.1',
    SLUICE_OPERATIONS_PORT: String(operationsPort),
    SLUICE_TOKEN_SECRET: secret,
    SLUICE_CANARY_STREAM: CANARY_STREAM,
    // Nothing else could take the clients over: a Ctrl-C need not wait until they have spread out.
    SLUICE_DRAIN_WINDOW_MS: process.env['SLUICE_DRAIN_WINDOW_MS'] ?? '0',
  });
  await addPart(stack, part);
  const operationsUrl = `http://127.0.0.1:${operationsPort}`;
  return { part, gatewayUrl: `ws://127.0.0.1:${port}/v1/ws`, operationsUrl };
}

async function startCity(stack: Stack, natsUrl: string): Promise<void> {
  await addPart(
    stack,
    startPart('city', requireBuilt('producers', 'cli.js'), ['city', '--services'], { SLUICE_NATS_URL: natsUrl }),
  );
}

async function addPart(stack: Stack, part: Part): Promise<void> {
  if (!(await stack.add(part))) throw new DeployError('interrupted', 'Interrupted.');
}

function requireBuilt(packageName: string, file: string): string {
  const path = builtFile(packageName, file);
  if (existsSync(path)) return path;
  throw new DeployError('not_built', `${path} is missing. Run \`npm run build\`, and look at what it says.`);
}

async function waitUntilReady(part: Part, url: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  let exit: string | undefined;
  void part.exited.then((how) => (exit = how));
  for (;;) {
    // Refused connections are what a process that is starting answers.
    const status = await fetch(url).then(
      (response) => response.status,
      () => undefined,
    );
    if (status === 200) return;
    if (exit !== undefined) throw new DeployError('part_exited', describeExit(part, exit));
    if (Date.now() > deadline) {
      const last = status === undefined ? 'no answer' : `status ${status}`;
      throw new DeployError(
        'part_not_ready',
        `The ${part.name} did not become ready (${url}: ${last}). Its log, ${part.logFile}, ends:\n${lastLines(part.logFile)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

/** An order that the city has driven since it started: something to watch. */
async function findLiveOrder(connection: NatsConnection, since: Date): Promise<string | undefined> {
  const manager = await jetstreamManager(connection);
  const deadline = Date.now() + LIVE_ORDER_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const message = await manager.streams
      .getMessage('ORDER', { last_by_subj: 'order.*.*.*.location_updated' })
      .catch(() => null);
    if (message !== null && message.time >= since) return message.subject.split('.')[3];
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  return undefined;
}

export function describeExit(part: Part, how: string): string {
  return `The ${part.name} has ended by itself (${how}). Its log, ${part.logFile}, ends:\n${lastLines(part.logFile)}`;
}
