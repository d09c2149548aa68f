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
  return () => cpuSecondsOf(pid) - before;
};
