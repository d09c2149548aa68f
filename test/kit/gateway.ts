// The gateway as a real process, as `npm start` runs it: configured by environment variables, observed through its
// log, its operations port and /proc.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { type Exit, type TestProcess, startProcess } from './process.ts';
import { TEST_SECRET } from './token.ts';

const MAIN = fileURLToPath(new URL('../../gateway/dist/main.js', import.meta.url));

export interface GatewayOptions {
  natsUrl: string;
  /** More settings, or other values for the usual ones. */
  env?: Record<string, string>;
  /** Waits until the gateway serves, not only listens. Default true. */
  untilReady?: boolean;
}

export interface MetricSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Ports {
  port: number;
  operationsPort: number;
}

export class Gateway implements AsyncDisposable {
  readonly #env: Record<string, string>;
  #process: TestProcess;
  #ports: Ports;
  #earlierLog: string[] = [];

  private constructor(env: Record<string, string>, process: TestProcess, ports: Ports) {
    this.#env = env;
    this.#process = process;
    this.#ports = ports;
  }

  static async start(options: GatewayOptions): Promise<Gateway> {
    const env = {
      PATH: process.env['PATH'] ?? '',
      SLUICE_NATS_URL: options.natsUrl,
      SLUICE_HOST: '127.0.0.1',
      // Not 0: see ports.ts. Clients keep dialling while the gateway is away, and it has to come back there.
      SLUICE_PORT: String(await freePort()),
      SLUICE_OPERATIONS_HOST: '127.0.0.1',
      SLUICE_OPERATIONS_PORT: String(await freePort()),
      SLUICE_TOKEN_SECRET: TEST_SECRET,
      SLUICE_CATALOGUE: 'orders',
      ...options.env,
    };
    const started = await launch(env);
    const gateway = new Gateway(env, started.process, started.ports);
    try {
      if (options.untilReady ?? true) await gateway.waitUntilReady();
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${gateway.log().slice(-40).join('\n')}`, { cause: error });
    }
    return gateway;
  }

  get port(): number {
    return this.#ports.port;
  }

  /** The WebSocket endpoint. */
  get url(): string {
    return `ws://127.0.0.1:${this.#ports.port}/v1/ws`;
  }

  get operationsUrl(): string {
    return `http://127.0.0.1:${this.#ports.operationsPort}`;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process.isRunning();
  }

  get exited(): Promise<Exit> {
    return this.#process.exited;
  }

  async kill(): Promise<Exit> {
    return await this.#process.kill();
  }

  /** SIGTERM: drains. The timeout covers the drain. */
  async stop(timeoutMs = 20_000): Promise<Exit> {
    return await this.#process.stop(timeoutMs);
  }

  async pause(): Promise<void> {
    await this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  /** A new process on the same ports, so that clients find it where the old one was. */
  async start(options: { untilReady?: boolean } = {}): Promise<void> {
    if (this.isRunning) throw new Error('the gateway is running');
    this.#earlierLog = this.log();
    const started = await launch(this.#env);
    this.#process = started.process;
    this.#ports = started.ports;
    if (options.untilReady ?? true) await this.waitUntilReady();
  }

  async isReady(): Promise<boolean> {
    const response = await fetch(`${this.operationsUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  }

  async waitUntilReady(timeoutMs = 20_000): Promise<void> {
    await eventually(
      async () => {
        if (!this.isRunning) return false;
        return await this.isReady();
      },
      { timeoutMs, what: 'the gateway to be ready' },
    );
  }

  async metrics(): Promise<Metrics> {
    const response = await fetch(`${this.operationsUrl}/metrics`, { signal: AbortSignal.timeout(5_000) });
    return new Metrics(parseMetrics(await response.text()));
  }

  log(): string[] {
    return [...this.#earlierLog, ...this.#process.log()].slice(-4000);
  }

  /** The log's JSON lines, for assertions on fields. */
  logRecords(): Record<string, unknown>[] {
    return this.log().flatMap((line): Record<string, unknown>[] => {
      const record = parseRecord(line);
      return record ? [record] : [];
    });
  }

  cpuSeconds(): number {
    return this.#process.cpuSeconds();
  }

  memoryBytes(): number {
    return this.#process.memoryBytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A gateway on free loopback ports, ready to serve. Dispose it, or use the `gateway` fixture. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  return await Gateway.start(options);
}

/** Runs the gateway with settings that it must refuse; resolves with its exit and its output. */
export async function runGatewayToExit(env: Record<string, string>): Promise<{ exit: Exit; log: string[] }> {
  let isListening = false;
  const child = await startProcess({
    name: 'gateway',
    command: process.execPath,
    args: [mainFile()],
    env: { PATH: process.env['PATH'] ?? '', ...env },
    isReady: (line) => {
      isListening ||= portsOf(line) !== undefined;
      return true;
    },
  });
  await eventually(() => !child.isRunning() || isListening, { timeoutMs: 20_000, what: 'the gateway to exit' });
  if (isListening) {
    await child.kill();
    throw new Error('the gateway listens instead of refusing its configuration');
  }
  return { exit: await child.exited, log: child.log() };
}

export class Metrics {
  readonly samples: readonly MetricSample[];

  constructor(samples: readonly MetricSample[]) {
    this.samples = samples;
  }

  /** Sum over all samples of the name whose labels include the given ones; 0 where there is none. */
  sum(name: string, labels: Record<string, string> = {}): number {
    const wanted = Object.entries(labels);
    return this.samples
      .filter((sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value))
      .reduce((total, sample) => total + sample.value, 0);
  }

  has(name: string): boolean {
    return this.samples.some((sample) => sample.name === name);
  }
}

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Prometheus' text format. */
export function parseMetrics(text: string): MetricSample[] {
  return text.split('\n').flatMap((line) => {
    const match = line.startsWith('#') ? null : SAMPLE.exec(line);
    if (!match) return [];
    const labels = Object.fromEntries([...(match[2] ?? '').matchAll(LABEL)].map(([, key, value]) => [key, value]));
    const value = match[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match[3]);
    return [{ name: match[1]!, labels, value }];
  });
}

async function launch(env: Record<string, string>): Promise<{ process: TestProcess; ports: Ports }> {
  let ports: Ports | undefined;
  const started = await startProcess({
    name: 'gateway',
    command: process.execPath,
    args: ['--enable-source-maps', mainFile()],
    env,
    // Where a cluster elects its leaders meanwhile, a pod asks for its consumers more than once.
    readyTimeoutMs: 60_000,
    isReady: (line) => (ports ??= portsOf(line)) !== undefined,
  });
  return { process: started, ports: ports! };
}

function portsOf(line: string): Ports | undefined {
  const { msg, port, operationsPort } = parseRecord(line) ?? {};
  if (msg !== 'listening' || typeof port !== 'number' || typeof operationsPort !== 'number') return undefined;
  return { port, operationsPort };
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // Not every line of a process is a record: a stack trace, a warning of Node.
    return undefined;
  }
}

function mainFile(): string {
  if (!existsSync(MAIN)) throw new Error('the gateway is not built: run "npm run build" first');
  return MAIN;
}
