// The benchmark's handle on its load client processes: spreads the sockets of a set over them, each process with a
// loopback source address of its own, and adds up what they saw.
import type { Opened, Progress } from './load-client.ts';
import type { handlers } from './load-client.ts';
import type { Counts, Goal, SocketPlan, SubscriptionPlan } from './load-socket.ts';
import { startWorker, type Worker } from './worker.ts';

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface OpenOptions {
  readonly set: string;
  readonly server: Server;
  readonly plans: readonly SocketPlan[];
  readonly goal: Goal;
  readonly payloadBytes: number;
  readonly timeoutMs?: number;
}

export interface LoadClients {
  readonly pids: readonly number[];
  /** Makes and encodes everything, so that `start` only connects. */
  prepare(options: OpenOptions): Promise<void>;
  /** Connects the prepared set; from the first connect until the last socket reached its goal. */
  start(set: string, timeoutMs?: number): Promise<Opened & { readonly seconds: number }>;
  open(options: OpenOptions): Promise<Opened & { readonly seconds: number }>;
  counts(set: string): Promise<Counts>;
  /** Counter of the next event of the socket that is furthest behind. */
  slowest(set: string): Promise<number>;
  /** Calls back with `slowest` as it moves; returns how to stop. */
  watch(set: string, everyMs: number, onSlowest: (slowest: number) => void): Promise<() => Promise<void>>;
  /** What each socket would come back with, in the order of the plans that it was opened with. */
  plans(set: string): Promise<SubscriptionPlan[][]>;
  throttle(set: string, isSlow: boolean): Promise<void>;
  /** Of one event in `every`. */
  recordLatencies(set: string, every?: number): Promise<void>;
  latencies(set: string): Promise<Float64Array>;
  drop(set: string): Promise<void>;
  stop(): Promise<void>;
}

const OPEN_TIMEOUT_MS = 60_000;

/** Two by default: more than the machine has cores would only measure the scheduler. */
export const startLoadClients = (processes = 2): LoadClients => {
  const workers: Worker<typeof handlers>[] = Array.from({ length: processes }, () => startWorker('./load-client.js'));
  const latest = new Map<string, number[]>();
  const listeners = new Map<string, (slowest: number) => void>();
  workers.forEach((worker, index) => {
    worker.onReport((value) => {
      const { set, slowest } = value as Progress;
      const all = latest.get(set);
      if (!all) return;
      all[index] = slowest;
      listeners.get(set)?.(Math.min(...all));
    });
  });
  const onAll = <T>(call: (worker: Worker<typeof handlers>, index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(workers.map(call));

  const clients: LoadClients = {
    pids: workers.map(({ pid }) => pid),
    prepare: async ({ set, server, plans, goal, payloadBytes }) => {
      await onAll((worker, index) =>
        worker.call('prepare', {
          set,
          goal,
          plans: plans.filter((_, i) => i % processes === index),
          target: { host: server.host, port: server.port, payloadBytes, sourceNetwork: sourceNetworkOf(index) },
        }),
      );
    },
    start: async (set, timeoutMs = OPEN_TIMEOUT_MS) => {
      const opened = await onAll((worker) => worker.call('open', { set, timeoutMs }));
      const firstConnectMs = Math.min(...opened.map((one) => one.firstConnectMs));
      const lastReachedMs = Math.max(...opened.map((one) => one.lastReachedMs));
      const lastUpgradedMs = Math.max(...opened.map((one) => one.lastUpgradedMs));
      return { firstConnectMs, lastUpgradedMs, lastReachedMs, seconds: (lastReachedMs - firstConnectMs) / 1_000 };
    },
    open: async (options) => {
      await clients.prepare(options);
      return clients.start(options.set, options.timeoutMs);
    },
    counts: async (set) => (await onAll((worker) => worker.call('counts', { set }))).reduce(addCounts),
    slowest: async (set) => Math.min(...(await onAll((worker) => worker.call('slowest', { set })))),
    watch: async (set, everyMs, onSlowest) => {
      latest.set(
        set,
        workers.map(() => 0),
      );
      listeners.set(set, onSlowest);
      await onAll((worker) => worker.call('watch', { set, everyMs }));
      return async () => {
        listeners.delete(set);
        await onAll((worker) => worker.call('unwatch', { set }));
      };
    },
    plans: async (set) => {
      const parts = await onAll((worker) => worker.call('plans', { set }));
      const total = parts.reduce((sum, { length }) => sum + length, 0);
      return Array.from({ length: total }, (_, i) => parts[i % processes]![Math.floor(i / processes)]!);
    },
    throttle: async (set, isSlow) => {
      await onAll((worker) => worker.call('throttle', { set, isSlow }));
    },
    recordLatencies: async (set, every = 1) => {
      await onAll((worker) => worker.call('recordLatencies', { set, every }));
    },
    latencies: async (set) => {
      const parts = await onAll((worker) => worker.call('latencies', { set }));
      const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      return all.sort();
    },
    drop: async (set) => {
      await onAll((worker) => worker.call('drop', { set }));
    },
    stop: async () => {
      await onAll((worker) => worker.stop());
    },
  };
  return clients;
};

/**
 * A socket bound to an address takes a port of the lower half of the ephemeral range, seven thousand, before the kernel
 * searches long for another: several addresses per process, and others for another benchmark on the same machine.
 */
const sourceNetworkOf = (index: number): string => `127.${1 + (process.pid % 250)}.${index + 1}`;

const addCounts = (left: Counts, right: Counts): Counts => {
  const sum = { ...left };
  for (const [name, value] of Object.entries(right) as [keyof Counts, number | Record<string, number>][]) {
    if (typeof value === 'number') (sum[name] as number) += value;
    else sum[name] = addTables(left[name] as Record<string, number>, value) as never;
  }
  return sum;
};

const addTables = (left: Record<string, number>, right: Record<string, number>): Record<string, number> => {
  const sum = { ...left };
  for (const [name, value] of Object.entries(right)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
};

/** What must be zero whatever a benchmark measures, as one line of text; empty if all is well. */
export const faultsOf = ({ lost, duplicated, disordered, closed, resets, errors }: Counts): string => {
  const faults = { lost, duplicated, disordered, closed, ...prefixed('reset', resets), ...prefixed('error', errors) };
  return Object.entries(faults)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ');
};

const prefixed = (prefix: string, table: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => [`${prefix}: ${name}`, value]));

/** Value below which the share of a sorted list lies. */
export const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
