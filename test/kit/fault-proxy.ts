// A TCP proxy with faults: delay, throttle, cut, half-open, refuse. Knows bytes and sockets, no protocol.
// A link that is paused or throttled pushes back through the kernel's buffers, which on loopback take some megabytes
// per socket before the sender notices.
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import type { Random } from './seed.ts';
import { randomInt } from './seed.ts';

/** `toTarget` is what the dialling side sends, `toClient` what the target answers. */
export type Direction = 'toTarget' | 'toClient';

export interface FaultProxyTarget {
  host?: string;
  port: number;
}

export interface FaultProxyStats {
  /** Accepted ever, refused ones not counted. */
  connections: number;
  refused: number;
  open: number;
  bytesToTarget: number;
  bytesToClient: number;
}

/** How much one direction of one connection may hold while it is delayed or throttled, before it stops reading. */
const MAX_HELD_BYTES = 1 << 20;
const THROTTLE_TICK_MS = 20;

interface Held {
  bytes: Buffer;
  dueMs: number;
}

/** What the proxy does to one direction at the moment; shared by all its connections. */
interface Fault {
  delayMs: number;
  bytesPerSecond: number;
  isFrozen: boolean;
}

const noFault = (): Fault => ({ delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, isFrozen: false });

export class FaultProxy implements AsyncDisposable {
  readonly host = '127.0.0.1';
  #target: Required<FaultProxyTarget>;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #faults: Record<Direction, Fault> = { toTarget: noFault(), toClient: noFault() };
  #refuses = false;
  readonly #stats = { connections: 0, refused: 0, bytesToTarget: 0, bytesToClient: 0 };
  readonly #randomCuts = new Set<{ stop(): number }>();

  private constructor(target: FaultProxyTarget) {
    this.#target = { host: '127.0.0.1', ...target };
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Listens on a free port, or on `port` where a peer's configuration needs to know it beforehand. */
  static async start(target: FaultProxyTarget, port = 0): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen({ port, host: proxy.host }, resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The proxy's address with the scheme and path of `url`. */
  urlFor(url: string): string {
    const proxied = new URL(url);
    proxied.host = `${this.host}:${this.port}`;
    return proxied.toString();
  }

  stats(): FaultProxyStats {
    return { ...this.#stats, open: this.#links.size };
  }

  /** New connections go to another target; open ones stay. */
  retarget(target: FaultProxyTarget): void {
    this.#target = { host: '127.0.0.1', ...target };
  }

  /** Every byte arrives `ms` later, in order. Applies to both directions unless one is named. */
  delay(ms: number, direction?: Direction): this {
    return this.#set({ delayMs: ms }, direction);
  }

  /** Each connection carries at most so many bytes a second (per direction). */
  throttle(bytesPerSecond: number, direction?: Direction): this {
    return this.#set({ bytesPerSecond }, direction);
  }

  /** Half-open: nothing is forwarded and nothing is closed, as when a phone loses its network. */
  freeze(direction?: Direction): this {
    return this.#set({ isFrozen: true }, direction);
  }

  thaw(direction?: Direction): this {
    return this.#set({ isFrozen: false }, direction);
  }

  /** Ends every open connection at once, on both sides, dropping what was under way. Returns how many. */
  cut(): number {
    const links = [...this.#links];
    for (const link of links) link.destroy();
    return links.length;
  }

  /** New connections are accepted and closed at once (a dead host would time out: use `freeze` for that). */
  refuse(): this {
    this.#refuses = true;
    return this;
  }

  accept(): this {
    this.#refuses = false;
    return this;
  }

  /** Cuts, and stays cut until `heal`. */
  partition(): this {
    this.refuse();
    this.cut();
    return this;
  }

  /** Takes every fault back, also random cuts. Connections that a side gave up meanwhile end now. */
  heal(): this {
    for (const cuts of this.#randomCuts) cuts.stop();
    this.accept();
    return this.#set(noFault());
  }

  /** Cuts everything again and again, after a random pause each time, until stopped; `stop` returns how often. */
  cutAtRandom(options: { random: Random; minMs: number; maxMs: number }): { stop(): number } {
    let timer: NodeJS.Timeout;
    let count = 0;
    const plan = (): void => {
      timer = setTimeout(
        () => {
          count += this.cut();
          plan();
        },
        randomInt(options.random, options.minMs, options.maxMs),
      );
    };
    plan();
    const cuts = {
      stop: () => {
        clearTimeout(timer);
        this.#randomCuts.delete(cuts);
        return count;
      },
    };
    this.#randomCuts.add(cuts);
    return cuts;
  }

  async close(): Promise<void> {
    for (const cuts of this.#randomCuts) cuts.stop();
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #set(change: Partial<Fault>, direction?: Direction): this {
    for (const one of direction === undefined ? (['toTarget', 'toClient'] as const) : [direction]) {
      Object.assign(this.#faults[one], change);
    }
    for (const link of this.#links) link.onFaultChange();
    return this;
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refuses) {
      this.#stats.refused += 1;
      client.destroy();
      return;
    }
    this.#stats.connections += 1;
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const link = new Link(client, target, this.#faults, {
      onBytes: (direction, count) => {
        this.#stats[direction === 'toTarget' ? 'bytesToTarget' : 'bytesToClient'] += count;
      },
      onGone: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

interface LinkEvents {
  onBytes(direction: Direction, count: number): void;
  onGone(): void;
}

/** One proxied connection: two sockets and a pipe in each direction. */
class Link {
  readonly #pipes: readonly [Pipe, Pipe];
  readonly #sockets: readonly [Socket, Socket];
  readonly #faults: Record<Direction, Fault>;
  readonly #events: LinkEvents;
  #isGone = false;

  constructor(client: Socket, target: Socket, faults: Record<Direction, Fault>, events: LinkEvents) {
    this.#sockets = [client, target];
    this.#faults = faults;
    this.#events = events;
    this.#pipes = [
      new Pipe(client, target, faults.toTarget, (count) => events.onBytes('toTarget', count)),
      new Pipe(target, client, faults.toClient, (count) => events.onBytes('toClient', count)),
    ];
    for (const socket of this.#sockets) {
      socket.on('error', () => {});
      socket.on('close', () => this.#onSideGone());
    }
  }

  onFaultChange(): void {
    if (this.#sockets.some((socket) => socket.destroyed)) this.#onSideGone();
    for (const pipe of this.#pipes) pipe.pump();
  }

  destroy(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const pipe of this.#pipes) pipe.stop();
    for (const socket of this.#sockets) socket.destroy();
    this.#events.onGone();
  }

  #onSideGone(): void {
    // A dead link does not tell the other side that this one gave up.
    if (this.#faults.toTarget.isFrozen || this.#faults.toClient.isFrozen) return;
    this.destroy();
  }
}

/** One direction of one connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #fault: Fault;
  readonly #onBytes: (count: number) => void;
  #held: Held[] = [];
  #heldBytes = 0;
  #ended = false;
  #isBlocked = false;
  #timer: NodeJS.Timeout | undefined;
  /** Bytes that the throttle lets through at `#allowanceAtMs`. */
  #allowance = 0;
  #allowanceAtMs = performance.now();

  constructor(from: Socket, to: Socket, fault: Fault, onBytes: (count: number) => void) {
    this.#from = from;
    this.#to = to;
    this.#fault = fault;
    this.#onBytes = onBytes;
    from.on('data', (bytes: Buffer) => {
      this.#held.push({ bytes, dueMs: performance.now() + fault.delayMs });
      this.#heldBytes += bytes.length;
      this.pump();
    });
    from.on('end', () => {
      this.#ended = true;
      this.pump();
    });
    to.on('drain', () => {
      this.#isBlocked = false;
      this.pump();
    });
    this.pump();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }

  /** Forwards what may go now, and plans the rest. Called at every change. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#fault.isFrozen) this.#forward();
    const isFull = this.#heldBytes >= MAX_HELD_BYTES || this.#isBlocked;
    // Under a throttle the sender should feel it early, not after a megabyte.
    const isSlow = this.#fault.bytesPerSecond !== Number.POSITIVE_INFINITY && this.#heldBytes > 0;
    if (this.#fault.isFrozen || isFull || isSlow) this.#from.pause();
    else this.#from.resume();
  }

  #forward(): void {
    const now = performance.now();
    this.#earn(now);
    for (let first = this.#held[0]; first !== undefined && !this.#isBlocked; first = this.#held[0]) {
      if (first.dueMs > now) return this.#pumpIn(first.dueMs - now);
      const size = Math.min(first.bytes.length, Math.floor(this.#allowance));
      if (size === 0) return this.#pumpIn(THROTTLE_TICK_MS);
      this.#allowance -= size;
      this.#heldBytes -= size;
      const bytes = first.bytes.subarray(0, size);
      if (size === first.bytes.length) this.#held.shift();
      else first.bytes = first.bytes.subarray(size);
      this.#onBytes(size);
      if (!this.#to.destroyed) this.#isBlocked = !this.#to.write(bytes);
    }
    if (this.#ended && this.#held.length === 0 && !this.#to.writableEnded) this.#to.end();
  }

  #earn(now: number): void {
    const rate = this.#fault.bytesPerSecond;
    if (rate === Number.POSITIVE_INFINITY) {
      this.#allowance = Number.POSITIVE_INFINITY;
    } else {
      // At most a tenth of a second's worth at once, so that a pause buys no burst; never less than one byte.
      const earned = Number.isFinite(this.#allowance) ? (rate * (now - this.#allowanceAtMs)) / 1000 : 0;
      const kept = Number.isFinite(this.#allowance) ? this.#allowance : 0;
      this.#allowance = Math.min(kept + earned, Math.max(1, rate / 10));
    }
    this.#allowanceAtMs = now;
  }

  #pumpIn(ms: number): void {
    this.#timer = setTimeout(() => this.pump(), Math.max(1, Math.ceil(ms)));
  }
}
