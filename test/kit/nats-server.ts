// One real nats-server with JetStream, in a folder of its own. Comes back on the same port with the same store,
// however it went away; can be paused, and rolled back to an older copy of its store.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { connect } from '@nats-io/transport-node';
import { natsServerBinary } from './nats-binary.ts';
import { freePort } from './ports.ts';
import { type TestProcess, startProcess } from './process.ts';

export interface NatsServerOptions {
  name?: string;
  /** Path of another server than the project's, see `oldNatsServerBinary`. */
  binary?: string;
  /** More lines of configuration: a `cluster` block, `accounts`, limits. */
  config?: string;
  port?: number;
}

const READY = /Server is ready/;
const MONITOR_TIMEOUT_MS = 2_000;

export class NatsServer implements AsyncDisposable {
  readonly name: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly monitorPort: number;
  readonly storeDir: string;
  readonly #dir: string;
  readonly #binary: string;
  readonly #configFile: string;
  #process: TestProcess | undefined;
  #earlierLog: string[] = [];
  #isPaused = false;

  private constructor(fields: { name: string; port: number; monitorPort: number; dir: string; binary: string }) {
    this.name = fields.name;
    this.port = fields.port;
    this.monitorPort = fields.monitorPort;
    this.#dir = fields.dir;
    this.#binary = fields.binary;
    this.#configFile = join(fields.dir, 'server.conf');
    this.storeDir = join(fields.dir, 'store');
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    // Before the folder: it may fail, and nothing must be left behind then.
    const binary = options.binary ?? (await natsServerBinary());
    const server = new NatsServer({
      name: options.name ?? 'nats',
      port: options.port ?? (await freePort()),
      monitorPort: await freePort(),
      dir: await mkdtemp(join(tmpdir(), 'sluice-nats-')),
      binary,
    });
    await mkdir(server.storeDir, { recursive: true });
    await writeFile(server.#configFile, server.#configText(options.config ?? ''));
    try {
      await server.start();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `nats://${this.host}:${this.port}`;
  }

  get pid(): number {
    return this.#running().pid;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() ?? false;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Starts a stopped or killed server again: same port, same store. */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} is running`);
    this.#earlierLog = this.log();
    this.#isPaused = false;
    this.#process = await startProcess({
      name: `nats-server ${this.name}`,
      command: this.#binary,
      args: ['-c', this.#configFile],
      isReady: (line) => READY.test(line),
    });
  }

  /** An orderly end (SIGTERM). */
  async stop(): Promise<void> {
    this.#isPaused = false;
    await this.#process?.stop();
  }

  async kill(): Promise<void> {
    this.#isPaused = false;
    await this.#process?.kill();
  }

  async restart(how: 'stop' | 'kill' = 'stop'): Promise<void> {
    await (how === 'stop' ? this.stop() : this.kill());
    await this.start();
  }

  /** Stands still with all its connections open, like a machine that swaps or a virtual machine that is moved. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#running().pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#running().resume();
  }

  /** Copies the store for a later `replaceStore`. A running server is stopped for it and started again. */
  async copyStore(to: string): Promise<void> {
    await this.#whileStopped(async () => {
      await rm(to, { recursive: true, force: true });
      await cp(this.storeDir, to, { recursive: true });
    });
  }

  /** Rolls the store back to a copy; the server runs again afterwards if it ran before. */
  async replaceStore(from: string): Promise<void> {
    await this.#whileStopped(async () => {
      await rm(this.storeDir, { recursive: true, force: true });
      await cp(from, this.storeDir, { recursive: true });
    });
  }

  /** A folder for store copies and the like, removed with the server. */
  scratch(name: string): string {
    return join(this.#dir, name);
  }

  /** A plain nats.js connection; the caller closes it. */
  async connect(options: ConnectionOptions = {}): Promise<NatsConnection> {
    return await connect({ servers: this.url, reconnectTimeWait: 100, maxReconnectAttempts: -1, ...options });
  }

  /** One of the server's monitoring pages (`varz`, `jsz?...`), straight from this server. */
  async monitor(page: string): Promise<unknown> {
    const response = await fetch(`http://${this.host}:${this.monitorPort}/${page}`, {
      signal: AbortSignal.timeout(MONITOR_TIMEOUT_MS),
    });
    return await response.json();
  }

  /** True if the server itself reports that JetStream works. */
  async isHealthy(): Promise<boolean> {
    if (!this.isRunning || this.#isPaused) return false;
    const health = (await this.monitor('healthz')) as { status?: string };
    return health.status === 'ok';
  }

  log(): string[] {
    return [...this.#earlierLog, ...(this.#process?.log() ?? [])].slice(-4000);
  }

  cpuSeconds(): number {
    return this.#running().cpuSeconds();
  }

  memoryBytes(): number {
    return this.#running().memoryBytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing of a test's server is worth an orderly end.
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #running(): TestProcess {
    if (this.#process === undefined || !this.#process.isRunning()) throw new Error(`${this.name} is not running`);
    return this.#process;
  }

  async #whileStopped(change: () => Promise<void>): Promise<void> {
    const wasRunning = this.isRunning;
    if (wasRunning) await this.stop();
    await change();
    if (wasRunning) await this.start();
  }

  #configText(extra: string): string {
    return [
      `server_name: ${this.name}`,
      `listen: "${this.host}:${this.port}"`,
      `http: "${this.host}:${this.monitorPort}"`,
      `jetstream { store_dir: ${JSON.stringify(this.storeDir)}, max_file: 4GB, max_mem: 256MB }`,
      extra,
      '',
    ].join('\n');
  }
}

/** A server on a free loopback port. Dispose it, or use the `nats` fixture. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  return await NatsServer.start(options);
}
