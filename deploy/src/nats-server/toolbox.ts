// The world as the resolver sees it: environment, programs, downloads. Injected, so that its order can be tested
// without any of them.

import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

export interface Progress {
  /** A step is worth a line of its own; an update says how far the step has come and may be overwritten. */
  readonly kind: 'step' | 'update';
  readonly text: string;
}

export interface RunResult {
  /** Null when the program could not be started or was ended by a signal. */
  readonly code: number | null;
  /** Standard output and error, as they came. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
}

export interface Toolbox {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly fetch: (url: string) => Promise<Response>;
  /** Runs a program to its end; never rejects. */
  readonly run: (program: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>;
}

/** The real one. */
export function createToolbox(env: NodeJS.ProcessEnv): Toolbox {
  return { env, platform: process.platform, arch: process.arch, fetch: (url) => fetch(url), run: runProgram };
}

/** The absolute path of a program on PATH, as a shell would find it. */
export async function findOnPath(program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    // A relative entry would mean another file after a change of the working directory.
    if (!isAbsolute(folder)) continue;
    const candidate = join(folder, program);
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

const OUTPUT_MAX_CHARACTERS = 64 * 1024;

function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
    });
    // A build or a pull must not outlive the one who asked for it.
    const endWithParent = (): void => void child.kill();
    process.once('exit', endWithParent);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      let line = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-OUTPUT_MAX_CHARACTERS);
        const lines = (line + chunk).split('\n');
        line = lines.pop() ?? '';
        for (const complete of lines) options.onLine?.(complete);
      });
    }
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => {
      process.off('exit', endWithParent);
      resolve({ code, output });
    });
  });
}
