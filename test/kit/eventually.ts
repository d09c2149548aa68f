// Awaiting a condition with a deadline. The only place of the kit that polls; tests never sleep.

export interface EventuallyOptions {
  timeoutMs?: number;
  intervalMs?: number;
  /** What is awaited, for the failure message. */
  what?: string;
}

/**
 * Calls `probe` until it returns a truthy value, which it resolves with. A probe that throws counts as not yet.
 * On the deadline it rejects with what was awaited and the last value or error seen.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const { timeoutMs = 10_000, intervalMs = 20, what = probe.toString() } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  let failure: unknown;
  for (;;) {
    try {
      failure = undefined;
      last = await withDeadline(probe, Math.max(1, deadline - performance.now()));
      if (last) return last as Exclude<T, false | null | undefined | 0 | ''>;
    } catch (error) {
      failure = error;
    }
    if (performance.now() + intervalMs > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  const seen = failure === undefined ? `last value: ${show(last)}` : `last error: ${show(failure)}`;
  throw new Error(`not within ${timeoutMs} ms: ${what}; ${seen}`, { cause: failure });
}

/**
 * Asserts that `probe` stays truthy for `forMs`. For what must *not* happen (a cut that really cuts); it can only
 * miss a failure, never invent one.
 */
export async function consistently(
  probe: () => unknown,
  options: { forMs: number; intervalMs?: number; what?: string },
): Promise<void> {
  const { forMs, intervalMs = 20, what = probe.toString() } = options;
  const deadline = performance.now() + forMs;
  while (performance.now() < deadline) {
    const value = await probe();
    if (!value) throw new Error(`did not hold for ${forMs} ms: ${what}; value: ${show(value)}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** Resolves with the promise's value, or rejects with `what` after the deadline. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  return await withDeadline(() => promise, timeoutMs, what);
}

async function withDeadline<T>(probe: () => T | Promise<T>, ms: number, what = 'the probe did not settle'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} (${Math.round(ms)} ms)`)), ms);
  });
  try {
    return await Promise.race([Promise.resolve().then(probe), expired]);
  } finally {
    clearTimeout(timer);
  }
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const text =
    typeof value === 'string'
      ? value
      : (JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)) ?? String(value));
  return text.length > 500 ? `${text.slice(0, 500)}...` : text;
}
