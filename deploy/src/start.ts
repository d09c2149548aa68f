// `npm start`: the whole of Sluice on one machine until Ctrl-C. Only file of the stack that knows signals, exit codes
// and the terminal.

import { mkdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { sharedGuard } from './guard.ts';
import { createProgressWriter } from './progress.ts';
import { bringUp, describeExit } from './stack/bring-up.ts';
import { folder } from './stack/folder.ts';
import { interruption } from './stack/interruption.ts';
import { lockCheckout } from './stack/lock.ts';
import { removeRunFile, writeRunFile } from './stack/run-file.ts';
import { renderScreen } from './stack/screen.ts';
import { Stack } from './stack/stack.ts';

process.exitCode = await start();
// Downloads or a build may still be under way when a signal came early.
process.exit();

async function start(): Promise<number> {
  const interrupted = interruption(() => process.exit(1)).then((signal) => ({ kind: 'signal', signal }) as const);
  // With the terminal gone every line fails; stopping must not fail with it.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  const progress = createProgressWriter();
  const say = (text: string): void => progress.report({ kind: 'step', text });
  await mkdir(folder.root, { recursive: true });
  const guard = sharedGuard();
  let unlock: () => Promise<void>;
  try {
    unlock = await lockCheckout(folder.lock, guard.pid, say);
  } catch (error) {
    guard.close();
    console.error(messageOf(error));
    return 1;
  }

  const stack = new Stack(guard);
  try {
    const died = stack.firstExit.then((exit) => ({ kind: 'died', ...exit }) as const);
    const up = bringUp(stack, progress.report).then((standing) => ({ kind: 'up', standing }) as const);
    let outcome = await Promise.race([up, interrupted, died]);
    if (outcome.kind === 'up') {
      const { liveOrderId, ...running } = outcome.standing;
      await writeRunFile(running);
      progress.end();
      console.log(
        renderScreen({
          ...running,
          ...(liveOrderId === undefined ? {} : { liveOrderId }),
          logsFolder: relative(process.cwd(), folder.logs),
          dataFolder: relative(process.cwd(), folder.data),
          now: new Date(),
        }),
      );
      outcome = await Promise.race([interrupted, died]);
    } else {
      // The race is lost; its end, as the stack stops under it, is no news.
      up.catch(() => undefined);
    }
    if (outcome.kind === 'signal') return 0;
    console.error(`\n${describeExit(outcome.part, outcome.how)}`);
    return 1;
  } catch (error) {
    progress.end();
    console.error(`\n${messageOf(error)}`);
    return 1;
  } finally {
    await removeRunFile();
    await stack.stop((name) => say(`Stopping ${name}`));
    await unlock();
  }
}

function messageOf(error: unknown): string {
  // Expected faults explain themselves; anything else is a bug and needs its stack.
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && error.name === 'DeployError' ? error.message : (error.stack ?? error.message);
}
