// Three (or more) real nats-servers as one JetStream cluster. With `routeProxies` every route runs through a fault
// proxy, so that any two servers can be separated while each keeps its clients.
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { connect } from '@nats-io/transport-node';
import { eventually } from './eventually.ts';
import { FaultProxy } from './fault-proxy.ts';
import { NatsServer } from './nats-server.ts';
import { freePorts } from './ports.ts';

export interface NatsClusterOptions {
  /** Routes run through proxies that can be cut, delayed and healed. */
  routeProxies?: boolean;
  /** More lines for every server's configuration. */
  config?: string;
  binary?: string;
}

/** A port where nobody listens: where servers send those who learn of them by gossip. */
const NOWHERE = '127.0.0.1:1';
/** JetStream elects within 10 s as a rule; two cores with several test runs need more. */
const ELECTION_TIMEOUT_MS = 60_000;

export class NatsCluster implements AsyncDisposable {
  readonly servers: readonly NatsServer[];
  /** By `from>to`: the address that `from` dials to reach `to`. */
  readonly #routes: ReadonlyMap<string, FaultProxy>;

  private constructor(servers: readonly NatsServer[], routes: ReadonlyMap<string, FaultProxy>) {
    this.servers = servers;
    this.#routes = routes;
  }

  static async start(size: number, options: NatsClusterOptions = {}): Promise<NatsCluster> {
    const names = Array.from({ length: size }, (_, index) => `n${index + 1}`);
    const clusterPorts = await freePorts(size);
    const routes = new Map<string, FaultProxy>();
    const started: NatsServer[] = [];
    try {
      if (options.routeProxies) {
        for (const from of names) {
          for (const [index, to] of names.entries()) {
            if (from !== to) routes.set(`${from}>${to}`, await FaultProxy.start({ port: clusterPorts[index]! }));
          }
        }
      }
      const starting = names.map(async (name, index) => {
        const addresses = names.flatMap((other, at) =>
          other === name ? [] : [`nats-route://127.0.0.1:${routes.get(`${name}>${other}`)?.port ?? clusterPorts[at]!}`],
        );
        const config = [clusterBlock(clusterPorts[index]!, addresses, options), options.config ?? ''].join('\n');
        const binary = options.binary === undefined ? {} : { binary: options.binary };
        started.push(await NatsServer.start({ name, config, ...binary }));
      });
      const failed = (await Promise.allSettled(starting)).find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
      started.sort((left, right) => left.name.localeCompare(right.name));
      const cluster = new NatsCluster(started, routes);
      await cluster.waitUntilHealthy();
      return cluster;
    } catch (error) {
      await dispose(started, routes);
      throw error;
    }
  }

  get urls(): string[] {
    return this.servers.map((server) => server.url);
  }

  /** All addresses, as SLUICE_NATS_URL takes them. */
  get url(): string {
    return this.urls.join(',');
  }

  server(name: string): NatsServer {
    const found = this.servers.find((server) => server.name === name);
    if (!found) throw new Error(`no server ${name} in this cluster`);
    return found;
  }

  others(than: NatsServer): NatsServer[] {
    return this.servers.filter((server) => server !== than);
  }

  async connect(options: ConnectionOptions = {}): Promise<NatsConnection> {
    return await connect({ servers: this.urls, reconnectTimeWait: 100, maxReconnectAttempts: -1, ...options });
  }

  /** Every server that runs reports a working JetStream: meta leader known, streams caught up. */
  async waitUntilHealthy(servers: readonly NatsServer[] = this.servers): Promise<void> {
    for (const server of servers) {
      await eventually(() => server.isHealthy(), {
        timeoutMs: ELECTION_TIMEOUT_MS,
        intervalMs: 50,
        what: `${server.name} healthy`,
      });
    }
  }

  /**
   * The one server that leads the stream by its own account; undefined during an election, and for as long as a
   * deposed leader (cut off, it needs up to 20 s) has not noticed: name it in `not`.
   */
  async streamLeader(stream: string, options: { not?: NatsServer } = {}): Promise<NatsServer | undefined> {
    return await this.#onlyServer(options.not, async (server) =>
      (await streamDetails(server)).some((detail) => detail.name === stream && detail.cluster?.leader === server.name),
    );
  }

  /** The server that holds the (single-replica) consumer. */
  async consumerServer(stream: string, consumer: string): Promise<NatsServer | undefined> {
    return await this.#onlyServer(undefined, async (server) =>
      (await streamDetails(server)).some(
        (detail) =>
          detail.name === stream &&
          detail.consumer_detail?.some((one) => one.name === consumer && one.cluster?.leader === server.name),
      ),
    );
  }

  /** Names of the stream's consumers, over all servers. */
  async consumerNames(stream: string): Promise<string[]> {
    const names = new Set<string>();
    for (const server of this.servers) {
      for (const detail of await streamDetails(server)) {
        if (detail.name === stream) for (const one of detail.consumer_detail ?? []) names.add(one.name);
      }
    }
    return [...names];
  }

  /** Resolves with the stream's leader, which is not `not`. */
  async waitForLeader(stream: string, options: { not?: NatsServer } = {}): Promise<NatsServer> {
    return await eventually(() => this.streamLeader(stream, options), {
      timeoutMs: ELECTION_TIMEOUT_MS,
      intervalMs: 50,
      what: `a leader of ${stream}`,
    });
  }

  /**
   * Separates two servers. A cut link is closed, so that both notice at once; a silent one only stops carrying.
   */
  cutRoutes(left: NatsServer, right: NatsServer, how: 'closed' | 'silent' = 'closed'): void {
    for (const proxy of this.#between(left, right)) {
      if (how === 'closed') proxy.partition();
      else proxy.freeze();
    }
  }

  delayRoutes(left: NatsServer, right: NatsServer, ms: number): void {
    for (const proxy of this.#between(left, right)) proxy.delay(ms);
  }

  healRoutes(left: NatsServer, right: NatsServer): void {
    for (const proxy of this.#between(left, right)) proxy.heal();
  }

  /** Cuts the server off from all others; its clients stay. */
  isolate(server: NatsServer, how: 'closed' | 'silent' = 'closed'): void {
    for (const other of this.others(server)) this.cutRoutes(server, other, how);
  }

  /** Takes all route faults back and waits until every running server sees every other. */
  async heal(): Promise<void> {
    for (const proxy of this.#routes.values()) proxy.heal();
    const running = this.servers.filter((server) => server.isRunning && !server.isPaused);
    for (const server of running) {
      const wanted = running.filter((other) => other !== server).map((other) => other.name);
      await eventually(
        async () => {
          const seen = await this.routesOf(server);
          return wanted.every((name) => seen.includes(name));
        },
        { timeoutMs: 30_000, intervalMs: 100, what: `${server.name} connected to ${wanted.join(' and ')}` },
      );
    }
  }

  /** Names of the servers that this one has routes to. */
  async routesOf(server: NatsServer): Promise<string[]> {
    const page = (await server.monitor('routez')) as { routes?: { remote_name?: string }[] | null };
    return [...new Set((page.routes ?? []).flatMap((route) => route.remote_name ?? []))].sort();
  }

  log(): string[] {
    return this.servers.flatMap((server) => server.log().map((line) => `${server.name} ${line}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await dispose(this.servers, this.#routes);
  }

  async #onlyServer(
    not: NatsServer | undefined,
    isIt: (server: NatsServer) => Promise<boolean>,
  ): Promise<NatsServer | undefined> {
    const found: NatsServer[] = [];
    for (const server of this.servers) if (server !== not && (await isIt(server))) found.push(server);
    return found.length === 1 ? found[0] : undefined;
  }

  #between(left: NatsServer, right: NatsServer): FaultProxy[] {
    const names = [`${left.name}>${right.name}`, `${right.name}>${left.name}`];
    const proxies = names.flatMap((name) => this.#routes.get(name) ?? []);
    if (proxies.length !== 2)
      throw new Error(`no proxies between ${left.name} and ${right.name}: start with routeProxies`);
    return proxies;
  }
}

/** A cluster of local processes, ready: all healthy, with a meta leader. */
export async function startNatsCluster(size = 3, options: NatsClusterOptions = {}): Promise<NatsCluster> {
  return await NatsCluster.start(size, options);
}

function clusterBlock(port: number, routes: readonly string[], options: NatsClusterOptions): string {
  return [
    'cluster {',
    '  name: sluice-test',
    `  listen: "127.0.0.1:${port}"`,
    // Servers tell each other of third ones and would connect around the proxies: such routes lead nowhere. Configured
    // ones are dialled as they are written.
    ...(options.routeProxies ? [`  cluster_advertise: "${NOWHERE}"`] : []),
    // Clients keep to the addresses that a test gave them.
    '  no_advertise: true',
    `  routes: [${routes.map((route) => JSON.stringify(route)).join(', ')}]`,
    '}',
  ].join('\n');
}

interface StreamDetail {
  name: string;
  cluster?: { leader?: string };
  consumer_detail?: { name: string; cluster?: { leader?: string } }[];
}

async function streamDetails(server: NatsServer): Promise<StreamDetail[]> {
  if (!server.isRunning || server.isPaused) return [];
  const page = (await server.monitor('jsz?accounts=true&streams=true&consumers=true')) as {
    account_details?: { stream_detail?: StreamDetail[] }[];
  };
  return (page.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
}

async function dispose(servers: readonly NatsServer[], routes: ReadonlyMap<string, FaultProxy>): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  await Promise.all([...routes.values()].map((proxy) => proxy.close()));
}
