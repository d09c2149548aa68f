// Set-up of the `property` project: PBT_RUNS makes every property that names no number of its own run longer (or
// shorter), PBT_SEED repeats a run. A failure prints its seed and path.
import fc from 'fast-check';

const runs = Number(process.env['PBT_RUNS'] ?? 100);
if (!Number.isSafeInteger(runs) || runs < 1) throw new Error('PBT_RUNS is not a number of runs');
const seed = process.env['PBT_SEED'];

fc.configureGlobal({ numRuns: runs, ...(seed !== undefined && { seed: Number(seed) }) });
