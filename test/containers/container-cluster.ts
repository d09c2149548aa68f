// A JetStream cluster of containers on a network of its own, and the fault that only containers can have: a node that
// loses its network, and with it the other nodes and its clients, while its process goes on.
import type { StartedNatsContainer } from '@testcontainers/nats';
import { Network, type StartedNetwork, getContainerRuntimeClient } from 'testcontainers';
import { eventually } from '../kit/eventually.ts';
import { freePorts } from '../kit/ports.ts';
import { MONITOR_PORT, natsContainer } from './nats-container.ts';

const ROUTE_PORT = 6222;
const HEALTHY_TIMEOUT_MS = 30_000;

export class ContainerCluster implements AsyncDisposable {
  readonly #network: StartedNetwork;
  /** By server name, which is also the node's name on the network. */
  readonly #nodes: ReadonlyMap<string, StartedNatsContainer>;

  private constructor(network: StartedNetwork, nodes: ReadonlyMap<string, StartedNatsContainer>) {
    this.#network = network;
    this.#nodes = nodes;
  }

  static async start(size: number): Promise<ContainerCluster> {
    const names = Array.from({ length: size }, (_, index) => `n${index + 1}`);
    const routes = names.map((name) => `nats-route://${name}:${ROUTE_PORT}`).join(',');
    const hostPorts = await freePorts(size);
    const network = await new Network().start();
    const starting = names.map(async (name, index) => {
      const container = natsContainer(hostPorts[index]!)
        .withArg('server_name', name)
        .withArg('cluster_name', 'sluice-test')
        .withArg('cluster', `nats://0.0.0.0:${ROUTE_PORT}`)
        .withArg('routes', routes)
        // Clients keep to the host's ports; the addresses that servers would tell them are inside the network.
        .withArg('no_advertise')
        .withNetwork(network)
        .withNetworkAliases(name);
      return [name, await container.start()] as const;
    });
    const outcomes = await Promise.allSettled(starting);
    const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const cluster = new ContainerCluster(network, new Map(started));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (!failed) return cluster;
    await cluster[Symbol.asyncDispose]();
    throw failed.reason;
  }

  get names(): string[] {
    return [...this.#nodes.keys()];
  }

  get nodes(): StartedNatsContainer[] {
    return [...this.#nodes.values()];
  }

  node(name: string): StartedNatsContainer {
    const found = this.#nodes.get(name);
    if (!found) throw new Error(`no node ${name} in this cluster`);
    return found;
  }

  others(than: string): StartedNatsContainer[] {
    return this.names.filter((name) => name !== than).map((name) => this.node(name));
  }

  /** The node that holds the client connection with this name. */
  async nodeOf(connectionName: string): Promise<string | undefined> {
    for (const name of this.names) {
      const page = (await (await this.#monitor(name, 'connz')).json()) as { connections?: { name?: string }[] };
      if (page.connections?.some((connection) => connection.name === connectionName)) return name;
    }
    return undefined;
  }

  async waitUntilHealthy(): Promise<void> {
    for (const name of this.names) {
      await eventually(async () => (await this.#monitor(name, 'healthz')).ok, {
        timeoutMs: HEALTHY_TIMEOUT_MS,
        intervalMs: 100,
        what: `${name} healthy`,
      });
    }
  }

  /** `docker network disconnect`: neither other nodes nor clients reach the node any more. */
  async cutOff(name: string): Promise<void> {
    const { container } = await getContainerRuntimeClient();
    await container.dockerode.getNetwork(this.#network.getId()).disconnect({ Container: this.node(name).getId() });
  }

  /** `docker network connect`, under its old name: that belongs to the connection, not to the container. */
  async heal(name: string): Promise<void> {
    const { container } = await getContainerRuntimeClient();
    const { dockerode } = container;
    await dockerode.getNetwork(this.#network.getId()).connect({
      Container: this.node(name).getId(),
      EndpointConfig: { Aliases: [name] },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.nodes.map((node) => node.stop()));
    await this.#network.stop();
  }

  // Asked afresh each time: a port that is not fixed changes when the node comes back.
  async #monitor(name: string, page: string): Promise<Response> {
    const { container, info } = await getContainerRuntimeClient();
    const { NetworkSettings } = await container.inspect(container.getById(this.node(name).getId()));
    const hostPort = NetworkSettings.Ports[`${MONITOR_PORT}/tcp`]?.[0]?.HostPort;
    if (hostPort === undefined) throw new Error(`${name} has no monitoring port: it is cut off`);
    const url = `http://${info.containerRuntime.host}:${hostPort}/${page}`;
    return await fetch(url, { signal: AbortSignal.timeout(2_000) });
  }
}
