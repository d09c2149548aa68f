// Where the local stack keeps its things: .sluice in the checkout, which git ignores, or SLUICE_DEPLOY_FOLDER.

import { join, resolve } from 'node:path';
import { CHECKOUT } from '../nats-server/cache.ts';

const FOLDER = resolve(process.env['SLUICE_DEPLOY_FOLDER'] || join(CHECKOUT, '.sluice'));

export interface StackFolder {
  readonly root: string;
  readonly data: string;
  readonly logs: string;
  readonly secret: string;
  readonly runFile: string;
  readonly lock: string;
}

export const folder: StackFolder = {
  root: FOLDER,
  data: join(FOLDER, 'data'),
  logs: join(FOLDER, 'logs'),
  secret: join(FOLDER, 'token-secret'),
  runFile: join(FOLDER, 'run.json'),
  lock: join(FOLDER, 'start.pid'),
};

/** A file of another package's build; processes are started from there. */
export function builtFile(packageName: string, file: string): string {
  return join(CHECKOUT, packageName, 'dist', file);
}
