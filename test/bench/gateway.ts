// A real gateway process under measurement: started on free ports, ready when /readyz says so.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../kit/process.ts';
import { until } from './clock.ts';

export interface Gateway {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** Sum of a counter or gauge over its labels (all of them, or those that contain `labels`); 0 if there is none. */
  metric(name: string, labels?: string): Promise<number>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const READY_TIMEOUT_MS = 30_000;
const PROFILE_TIMEOUT_MS = 30_000;

export const startGateway = async (natsUrl: string, settings: Readonly<Record<string, string>>): Promise<Gateway> => {
  const main = process.env['SLUICE_BENCH_GATEWAY'] ?? builtGateway();
  const ports = { port: 0, operationsPort: 0 };
  const gateway = await startProcess({
    name: 'gateway',
    command: process.execPath,
    args: [...nodeOptions(), main],
    env: {
      PATH: process.env['PATH'] ?? '',
      SLUICE_NATS_URL: natsUrl,
      SLUICE_HOST: HOST,
      SLUICE_PORT: '0',
      SLUICE_OPERATIONS_PORT: '0',
      SLUICE_CATALOGUE: 'orders',
      ...(isProfiled() && { SLUICE_DRAIN_WINDOW_MS: '0', SLUICE_SHUTDOWN_TIMEOUT_MS: '1000' }),
      ...settings,
    },
    isReady: (line) => {
      const listening = parseListening(line);
      if (listening) Object.assign(ports, listening);
      return listening !== undefined;
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  const operations = `http://${HOST}:${ports.operationsPort}`;
  try {
    await until('the gateway is ready', READY_TIMEOUT_MS, async () => {
      if (!gateway.isRunning()) throw new Error(`the gateway ended:\n${gateway.log().slice(-40).join('\n')}`);
      return (await fetch(`${operations}/readyz`)).ok;
    });
  } catch (error) {
    await gateway.kill();
    throw new Error(`${String(error)}\n${gateway.log().slice(-40).join('\n')}`, { cause: error });
  }
  return {
    pid: gateway.pid,
    host: HOST,
    port: ports.port,
    metric: async (name, labels = '') => sumOf(await (await fetch(`${operations}/metrics`)).text(), name, labels),
    // At once: draining is not what is measured. Only a profile needs an orderly end.
    stop: async () => {
      if (isProfiled()) await gateway.stop(PROFILE_TIMEOUT_MS);
      else await gateway.kill();
    },
  };
};

/** Another build can be measured in its place: `SLUICE_BENCH_GATEWAY=<its main.js>`. */
const builtGateway = (): string => join(dirname(fileURLToPath(import.meta.resolve('@sluice/gateway'))), 'main.js');

/** Switches of Node for profiling one benchmark by hand: `SLUICE_BENCH_NODE='--cpu-prof --cpu-prof-dir=/tmp/profiles'`. */
const nodeOptions = (): string[] =>
  (process.env['SLUICE_BENCH_NODE'] ?? '').split(' ').filter((option) => option !== '');

const isProfiled = (): boolean => nodeOptions().length > 0;

const parseListening = (line: string): { port: number; operationsPort: number } | undefined => {
  if (!line.includes('"listening"')) return undefined;
  try {
    const { msg, port, operationsPort } = JSON.parse(line) as Record<string, unknown>;
    if (msg !== 'listening') return undefined;
    return { port: Number(port), operationsPort: Number(operationsPort) };
  } catch {
    return undefined; // a line of a person-readable log
  }
};

const sumOf = (text: string, name: string, labels: string): number => {
  let sum = 0;
  for (const line of text.split('\n')) {
    const [metric = '', value] = line.split(/ (?=[^ ]+$)/);
    const isNamed = metric === name || metric.startsWith(`${name}{`);
    if (isNamed && metric.includes(labels)) sum += Number(value);
  }
  return sum;
};
