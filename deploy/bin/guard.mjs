// Ends what its parent started when the parent is gone without having done so itself (kill -9, a crash). Reads "+pid"
// and "-pid" lines; the end of its input is the parent's end. Plain JavaScript: also started from unbuilt sources.

import { readFileSync } from 'node:fs';

const STOP_TIMEOUT_MS = 5_000;
const POLL_MS = 50;

const pids = new Set();
let rest = '';
process.stdin.setEncoding('utf8').on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const pid = Number(line.slice(1));
    if (line.startsWith('+')) pids.add(pid);
    else pids.delete(pid);
  }
});
process.stdin.once('end', () => void endAll());
// Ctrl-C is for the parent: this process is needed after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);

/** Newest first: users of a server before the server. */
async function endAll() {
  for (const pid of [...pids].toReversed()) {
    send(pid, 'SIGTERM');
    // A paused process would keep the signal pending for ever.
    send(pid, 'SIGCONT');
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (isRunning(pid) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    send(pid, 'SIGKILL');
  }
  process.exit(0);
}

function send(pid, signal) {
  try {
    return process.kill(pid, signal);
  } catch {
    // It has ended by itself.
    return false;
  }
}

/** In a container nobody may collect a dead orphan; for the system it exists until then. */
function isRunning(pid) {
  if (!send(pid, 0)) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // No such file system here, or it has ended since.
    return send(pid, 0);
  }
}
