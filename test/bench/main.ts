// Process entry of `npm run bench [name ...] [--json] [--quick]`: runs the named benchmarks, or all, one after the
// other, and prints what they found. The one file of the benchmarks that reads arguments and the environment.
import { type Benchmark, createStage, type Stage } from './benchmark.ts';
import { nowMs } from './clock.ts';
import { conflate } from './conflate.ts';
import { commands } from './commands.ts';
import { connect } from './connect.ts';
import { fanout } from './fanout.ts';
import { idle } from './idle.ts';
import { ingest } from './ingest.ts';
import { latency } from './latency.ts';
import { describeMachine } from './machine.ts';
import { many } from './many.ts';
import { startOthersClock } from './process-stats.ts';
import { type Result, toJson, toTable } from './report.ts';
import { resumeCold } from './resume-cold.ts';
import { resume, resumeDeep } from './resume.ts';
import { slow } from './slow.ts';

const BENCHMARKS: readonly Benchmark[] = [
  ingest,
  fanout,
  many,
  latency,
  conflate,
  resume,
  resumeDeep,
  resumeCold,
  connect,
  idle,
  slow,
  commands,
];

/** Share of a core that others may use before a line says so. */
const TOLERATED_OTHERS = 0.1;

const args = process.argv.slice(2);
// `npm run bench fanout --json` (without `--`) gives the switch to npm, which passes it on in the environment.
const isAsked = (name: string): boolean => args.includes(`--${name}`) || process.env[`npm_config_${name}`] === 'true';
const isJson = isAsked('json');
const isQuick = isAsked('quick');

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const pick = (names: readonly string[]): readonly Benchmark[] => {
  const unknown = names.filter((name) => !BENCHMARKS.some((one) => one.name === name));
  if (unknown.length > 0) {
    progress(`Unknown: ${unknown.join(', ')}. There are:`);
    for (const { name, question } of BENCHMARKS) progress(`  ${name.padEnd(12)} ${question}`);
    process.exit(2);
  }
  return names.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => names.includes(name));
};

let stage: Stage | undefined;
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isInterrupted = true;
    void stage?.close().finally(() => process.exit(130));
  });
}

const run = async (benchmark: Benchmark): Promise<Result> => {
  const { name: title, question } = benchmark;
  progress(`\n${title}: ${question}`);
  stage = createStage(isQuick, (line) => progress(`  ${line}`));
  try {
    return { benchmark: title, figures: await benchmark.run(stage) };
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!isInterrupted) progress(failure);
    return { benchmark: title, figures: [], failure: failure.replace(/^Error: /, '') };
  } finally {
    await stage.close();
  }
};

const chosen = pick(args.filter((arg) => !arg.startsWith('--')));
const machine = await describeMachine(progress);
const { cpu, cores, node, natsServer, date } = machine;
console.log(`${cpu}, ${cores} cores, node ${node}, nats-server ${natsServer}, ${date}${isQuick ? ', quick' : ''}`);
const results: Result[] = [];
for (const benchmark of chosen) {
  if (isInterrupted) break;
  const startedMs = nowMs();
  const othersSeconds = startOthersClock();
  const result = await run(benchmark);
  const othersCpuShare = (othersSeconds() * 1_000) / (nowMs() - startedMs);
  if (othersCpuShare > TOLERATED_OTHERS) progress(`others used ${othersCpuShare.toFixed(2)} of a core meanwhile`);
  results.push({ ...result, othersCpuShare });
  console.log(`\n${toTable([result])}`);
}
if (isJson) console.log(toJson({ ...machine }, results));
process.exitCode = results.some(({ failure }) => failure !== undefined) ? 1 : 0;
