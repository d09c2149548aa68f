#!/usr/bin/env node
// The sluice command. Checked in, so that it can be linked before anything is built; the work is in ../dist/cli.js.

import { existsSync } from 'node:fs';

const cli = new URL('../dist/cli.js', import.meta.url);
if (existsSync(cli)) {
  await import(cli.href);
} else {
  console.error('Sluice is not built yet: run `npm start` (or `npm run build`) in the checkout first.');
  process.exitCode = 1;
}
