// What a benchmark found, as a table for people and one object for programs.

export interface Figure {
  /** Name in the JSON object. */
  readonly name: string;
  /** What was measured, for people. */
  readonly what: string;
  readonly value: number;
  /** What it must reach; figures without a bound are there to be read. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Result {
  readonly benchmark: string;
  readonly figures: readonly Figure[];
  /** Why there are no figures, or none to be trusted. */
  readonly failure?: string;
  /** Share of a core that processes of others used during the run. */
  readonly othersCpuShare?: number;
}

const isReached = ({ value, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }: Figure): boolean =>
  value >= atLeast && value <= atMost;

const hasBound = ({ atLeast, atMost }: Figure): boolean => atLeast !== undefined || atMost !== undefined;

export const isPassed = ({ figures, failure }: Result): boolean => failure === undefined && figures.every(isReached);

const HEADINGS = ['what', 'measured', 'must reach', 'verdict'];

export const toTable = (results: readonly Result[]): string => {
  const rows = results.flatMap(({ benchmark, figures, failure }) => [
    ...figures.map((figure) => [
      `${benchmark}: ${figure.what}`,
      toText(figure.value),
      toBound(figure),
      hasBound(figure) ? (isReached(figure) ? 'ok' : 'MISSED') : '',
    ]),
    ...(failure === undefined ? [] : [[`${benchmark}: ${failure.split('\n')[0]}`, '', '', 'FAILED']]),
  ]);
  const widths = HEADINGS.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 1 || i === 2 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(HEADINGS), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
};

const toBound = ({ atLeast, atMost }: Figure): string =>
  atLeast === undefined ? (atMost === undefined ? '' : `<= ${toText(atMost)}`) : `>= ${toText(atLeast)}`;

const toText = (value: number): string => {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) || Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 100 ? 1 : 3);
};

/** One object: machine, every benchmark by name, and, where only one was run, its figures at the top level too. */
export const toJson = (machine: Readonly<Record<string, unknown>>, results: readonly Result[]): string => {
  const benchmarks = Object.fromEntries(results.map((result) => [result.benchmark, toFigures(result)]));
  const [only] = results.length === 1 ? results : [];
  return JSON.stringify({
    ...(only && { benchmark: only.benchmark, ...toFigures(only) }),
    machine,
    passed: results.every(isPassed),
    benchmarks,
  });
};

const toFigures = (result: Result): Record<string, unknown> => ({
  ...Object.fromEntries(result.figures.map(({ name, value }) => [name, rounded(value)])),
  passed: isPassed(result),
  ...(result.othersCpuShare !== undefined && { othersCpuShare: rounded(result.othersCpuShare) }),
  ...(result.failure !== undefined && { failure: result.failure }),
});

const rounded = (value: number): number => Number(value.toPrecision(6));
