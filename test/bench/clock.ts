// One clock for all processes of a benchmark: CLOCK_MONOTONIC, which Linux gives every process from the same origin.

export const nowMs = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
};

export const wait = (timeMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, timeMs);
  });

/** Waits for a condition that only polling can see; throws with `what` when it does not come true in time. */
export const until = async (
  what: string,
  timeoutMs: number,
  isTrue: () => boolean | Promise<boolean>,
): Promise<void> => {
  const deadline = nowMs() + timeoutMs;
  while (!(await isTrue())) {
    if (nowMs() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await wait(10);
  }
};
