// Signals as one promise: the first one asks for an orderly end, an impatient later one forces it.

// npm forwards the terminal's Ctrl-C a second time within milliseconds; nobody presses it twice that fast.
const ECHO_MS = 500;

const PARENT_POLL_MS = 250;

/** Settles with the first signal. A later one that is no echo calls `force`. */
export function interruption(force: () => void, now: () => number = Date.now): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (firstAt === undefined) {
        firstAt = now();
        resolve(signal);
      } else if (now() - firstAt > ECHO_MS) {
        force();
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    // Under npm its end is the end, also when it is killed. Anybody else may start this and go.
    if (process.env['npm_lifecycle_event'] === undefined) return;
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) resolve('SIGHUP');
    }, PARENT_POLL_MS).unref();
  });
}
