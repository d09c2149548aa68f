// Shows people what takes long: a line per step, and how far the step has come. On a terminal the latter overwrites
// itself; in a log it appears now and then.

import type { Progress } from './nats-server/toolbox.ts';

// A build log that stays silent for longer than this looks hung.
const LOG_UPDATE_EVERY_MS = 10_000;

export interface ProgressWriter {
  readonly report: (progress: Progress) => void;
  /** Clears the line an update may have left. */
  readonly end: () => void;
}

export function createProgressWriter(
  output: { readonly isTTY?: boolean; write(text: string): unknown } = process.stdout,
  now: () => number = Date.now,
): ProgressWriter {
  let isUpdateShown = false;
  let lastLogAt = now();
  const clear = (): void => {
    if (isUpdateShown) output.write('\r\x1b[K');
    isUpdateShown = false;
  };
  return {
    report({ kind, text }) {
      clear();
      if (kind === 'step') {
        output.write(`${text}\n`);
        lastLogAt = now();
      } else if (output.isTTY === true) {
        output.write(`  ${text}`);
        isUpdateShown = true;
      } else if (now() - lastLogAt >= LOG_UPDATE_EVERY_MS) {
        output.write(`  ${text}\n`);
        lastLogAt = now();
      }
    },
    end: clear,
  };
}
