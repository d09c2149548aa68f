// Before the tests start: get the nats-server once, with progress, so that no test pays for it or races to build it.

import { resolveNatsCli, resolveNatsServerBinary } from './nats-server/resolve.ts';
import { createProgressWriter } from './progress.ts';

export async function prepareTestServer(): Promise<void> {
  const progress = createProgressWriter();
  try {
    const server = await resolveNatsServerBinary({ onProgress: progress.report });
    // Few tests use the CLI; without it they fail by themselves, and the others still say something.
    await resolveNatsCli({ onProgress: progress.report }).catch((error: unknown) => {
      progress.report({ kind: 'step', text: String(error) });
    });
    progress.report({ kind: 'step', text: `Testing against nats-server ${server.version} (${server.path})` });
  } finally {
    progress.end();
  }
}
