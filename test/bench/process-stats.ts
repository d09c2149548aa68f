// What a process has used so far, read from /proc: CPU time of all its threads and resident memory. Linux only, as are
// the loopback source addresses of the load clients.
import { readFileSync } from 'node:fs';

const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ, fixed for user space on Linux

/** User and system time of every thread of the process, in seconds; resolution 10 ms. */
export const cpuSecondsOf = (pid: number): number => {
  // Fields after the command name, which may itself hold spaces and brackets.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
};

export const residentBytesOf = (pid: number): number => {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? Number.NaN) * 1024;
};

/** CPU seconds that the process uses from now on. */
export const startCpuClock = (pid: number): (() => number) => {
  const before = cpuSecondsOf(pid);
  // Ticks of 10 ms: what is beyond them is the noise of binary fractions.
  return () => Math.round((cpuSecondsOf(pid) - before) * CLOCK_TICKS_PER_SECOND) / CLOCK_TICKS_PER_SECOND;
};

/** CPU seconds of the whole machine that were not idle. */
const busySecondsOfMachine = (): number => {
  const [, user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + interrupt + softInterrupt) / CLOCK_TICKS_PER_SECOND;
};

/** CPU seconds of this process and of its children that have ended. */
const familySeconds = (): number => {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / CLOCK_TICKS_PER_SECOND;
};

/**
 * CPU seconds that somebody else uses from now on; to be asked when all children have ended. Figures taken while others
 * were at work are not worth much.
 */
export const startOthersClock = (): (() => number) => {
  const before = busySecondsOfMachine() - familySeconds();
  return () => busySecondsOfMachine() - familySeconds() - before;
};
