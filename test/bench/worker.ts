// Commands between the benchmark and its own processes (load clients, publisher, raw servers) over Node's IPC channel.
// A worker ends with its parent: none is ever left behind.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

type Argument<H extends Handlers, K extends keyof H> = Parameters<H[K]>[0];
type Answer<H extends Handlers, K extends keyof H> = Awaited<ReturnType<H[K]>>;

interface Request {
  readonly id: number;
  readonly kind: string;
  readonly argument: unknown;
}

interface Response {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Something a worker reports without having been asked. */
interface Report {
  readonly report: unknown;
}

export interface Worker<H extends Handlers> {
  readonly pid: number;
  call<K extends keyof H & string>(kind: K, argument: Argument<H, K>): Promise<Answer<H, K>>;
  /** One listener at a time. */
  onReport(listener: (report: unknown) => void): void;
  stop(): Promise<void>;
}

/** Starts `file` (beside this one) as a worker. A worker that dies rejects every call that it owes an answer. */
export const startWorker = <H extends Handlers>(file: string): Worker<H> => {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const owed = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let listener: (report: unknown) => void = () => {};
  child.on('message', (message: Response | Report) => {
    if ('report' in message) return listener(message.report);
    const call = owed.get(message.id);
    owed.delete(message.id);
    if (message.error === undefined) call?.resolve(message.value);
    else call?.reject(new Error(`${file}: ${message.error}`));
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      for (const { reject } of owed.values()) reject(new Error(`${file} ended (${signal ?? code})`));
      owed.clear();
      resolve();
    });
  });
  return {
    pid: child.pid!,
    call: (kind, argument) => {
      const answer = new Promise<never>((resolve, reject) => {
        const id = ++lastId;
        owed.set(id, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id, kind, argument } satisfies Request, (error) => {
          if (error) reject(error);
        });
      });
      // A benchmark that has failed elsewhere no longer waits for it.
      answer.catch(() => {});
      return answer;
    },
    onReport: (next) => {
      listener = next;
    },
    stop: () => stop(child, exited),
  };
};

const stop = async (child: ChildProcess, exited: Promise<void>): Promise<void> => {
  if (child.connected) child.disconnect();
  const overdue = setTimeout(() => child.kill('SIGKILL'), 2_000);
  await exited;
  clearTimeout(overdue);
};

export const report = (value: unknown): void => {
  process.send?.({ report: value } satisfies Report);
};

/** The worker's side: answers commands with what the handlers return, until the parent lets go. */
export const serveWorker = (handlers: Handlers): void => {
  process.on('message', ({ id, kind, argument }: Request) => {
    void answer(id, async () => {
      const handler = handlers[kind];
      if (!handler) throw new Error(`unknown command ${kind}`);
      return handler(argument as never);
    });
  });
  process.once('disconnect', () => process.exit(0));
  // An answer to a parent that has just gone.
  process.on('error', () => process.exit(0));
  // Ctrl-C reaches the whole process group; the parent decides when to end.
  process.on('SIGINT', () => {});
};

const answer = async (id: number, work: () => Promise<unknown>): Promise<void> => {
  try {
    const value = await work();
    process.send?.({ id, value } satisfies Response);
  } catch (error) {
    process.send?.({
      id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    } satisfies Response);
  }
};
