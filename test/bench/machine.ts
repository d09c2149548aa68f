// The machine and the versions that figures belong to.
import { cpus } from 'node:os';
import { resolveNatsServerBinary } from '@sluice/deploy';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly natsServer: string;
  readonly date: string;
}

export const describeMachine = async (onProgress: (line: string) => void): Promise<Machine> => {
  const { version } = await resolveNatsServerBinary({ onProgress: (progress) => onProgress(JSON.stringify(progress)) });
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    node: process.version,
    natsServer: version,
    date: new Date().toISOString(),
  };
};
