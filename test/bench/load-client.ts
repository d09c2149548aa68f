// Process entry: one load client. Holds sets of thousands of raw sockets (load-socket.ts) and answers for what they
// saw. Knows nothing of what a benchmark measures.

import { nowMs, wait } from './clock.ts';
import { type Counts, type Goal, LoadSocket, type SocketPlan, type Surroundings, type Target } from './load-socket.ts';
import { report, serveWorker } from './worker.ts';

/** Connects that may be under way at once, per process: far below the listen backlog of the server (512). */
const MAX_CONNECTING = 100;
const SLOW_READ_INTERVAL_MS = 1_000;

interface SocketSet extends Surroundings {
  sockets: LoadSocket[];
  goal: Goal;
  isSlow: boolean;
  latencies: Float64Array;
  latencyCount: number;
  onLatency: ((latencyMs: number) => void) | undefined;
  onUpgraded: () => void;
  onReached: () => void;
}

export interface PrepareArgument {
  readonly set: string;
  readonly plans: readonly SocketPlan[];
  readonly target: Target;
  readonly goal: Goal;
}

/** Both by the clock that all processes share. */
export interface Opened {
  readonly firstConnectMs: number;
  readonly lastUpgradedMs: number;
  readonly lastReachedMs: number;
}

/** How far the sockets of a set are, sent at a fixed interval while a set is watched. */
export interface Progress {
  readonly set: string;
  readonly slowest: number;
}

const sets = new Map<string, SocketSet>();
const watches = new Map<string, NodeJS.Timeout>();

const setOf = (name: string): SocketSet => {
  const set = sets.get(name);
  if (!set) throw new Error(`no set ${name}`);
  return set;
};

const emptyCounts = (): Counts => ({
  events: 0,
  messages: 0,
  bytes: 0,
  lost: 0,
  duplicated: 0,
  disordered: 0,
  upgraded: 0,
  welcomed: 0,
  live: 0,
  reached: 0,
  closed: 0,
  resets: {},
  errors: {},
});

const prepare = ({ set: name, plans, target, goal }: PrepareArgument): void => {
  const set: SocketSet = {
    counts: emptyCounts(),
    goal,
    isSlow: false,
    sockets: [],
    latencies: new Float64Array(1 << 16),
    latencyCount: 0,
    onLatency: undefined,
    onUpgraded: () => {},
    onReached: () => {},
  };
  set.sockets = plans.map((plan, index) => new LoadSocket(plan, target, set, index));
  sets.set(name, set);
};

/** Connects all sockets of a prepared set; resolves when the last has reached its goal. */
const open = async ({ set: name, timeoutMs }: { set: string; timeoutMs: number }): Promise<Opened> => {
  const set = setOf(name);
  const { sockets, counts } = set;
  let started = 0;
  const connectNext = (): void => {
    if (started < sockets.length) sockets[started++]!.connect();
  };
  let lastUpgradedMs = 0;
  set.onUpgraded = () => {
    if (counts.upgraded === sockets.length) lastUpgradedMs = nowMs();
    connectNext();
  };
  const reached = new Promise<number>((resolve) => {
    set.onReached = () => {
      if (counts.reached === sockets.length) resolve(nowMs());
    };
  });
  const firstConnectMs = nowMs();
  for (let i = 0; i < MAX_CONNECTING; i++) connectNext();
  const late = async (): Promise<never> => {
    await wait(timeoutMs);
    throw new Error(`not "${set.goal}" after ${timeoutMs} ms: ${JSON.stringify(counts)}`);
  };
  const lastReachedMs = await Promise.race([reached, late()]);
  return { firstConnectMs, lastUpgradedMs, lastReachedMs };
};

const recordLatencies = (set: SocketSet, every: number): void => {
  set.latencyCount = 0;
  let unseen = 0;
  set.onLatency = (latencyMs) => {
    if (++unseen < every) return;
    unseen = 0;
    if (set.latencyCount === set.latencies.length) {
      const grown = new Float64Array(set.latencies.length * 2);
      grown.set(set.latencies);
      set.latencies = grown;
    }
    set.latencies[set.latencyCount++] = latencyMs;
  };
};

const slowestOf = (set: SocketSet): number =>
  set.sockets.reduce((slowest, { next }) => Math.min(slowest, next), Number.POSITIVE_INFINITY);

const watch = ({ set: name, everyMs }: { set: string; everyMs: number }): void => {
  const set = setOf(name);
  let told = -1;
  const tell = (): void => {
    const slowest = slowestOf(set);
    if (slowest === told) return;
    told = slowest;
    report({ set: name, slowest } satisfies Progress);
  };
  watches.set(name, setInterval(tell, everyMs));
};

/** Reads 1 KB per second and socket from now on, or as fast as it comes again. */
const throttle = ({ set: name, isSlow }: { set: string; isSlow: boolean }): void => {
  const set = setOf(name);
  set.isSlow = isSlow;
  const resume = (): void => {
    for (const socket of set.sockets) socket.resume();
  };
  if (isSlow) watches.set(`slow ${name}`, setInterval(resume, SLOW_READ_INTERVAL_MS));
  else {
    unwatch({ set: `slow ${name}` });
    resume();
  }
};

const unwatch = ({ set }: { set: string }): void => {
  clearInterval(watches.get(set));
  watches.delete(set);
};

export const handlers = {
  prepare,
  open,
  watch,
  unwatch,
  throttle,
  counts: ({ set: name }: { set: string }): Counts => {
    const set = setOf(name);
    return { ...set.counts, messages: set.sockets.reduce((sum, { messages }) => sum + messages, 0) };
  },
  slowest: ({ set }: { set: string }): number => slowestOf(setOf(set)),
  /** Plans with which each socket would come back. */
  plans: ({ set }: { set: string }) => setOf(set).sockets.map((socket) => socket.plans()),
  /** Of one event in so many. */
  recordLatencies: ({ set, every }: { set: string; every: number }): void => recordLatencies(setOf(set), every),
  latencies: ({ set: name }: { set: string }): Float64Array => {
    const set = setOf(name);
    set.onLatency = undefined;
    return set.latencies.slice(0, set.latencyCount);
  },
  drop: ({ set: name }: { set: string }): void => {
    for (const socket of setOf(name).sockets) socket.drop();
    sets.delete(name);
  },
};

serveWorker(handlers);
