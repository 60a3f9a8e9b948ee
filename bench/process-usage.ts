import { readFileSync, writeFileSync } from 'node:fs';

/** USER_HZ, in which /proc counts: 100 on every architecture that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of a process so far, in user and system mode, of all its threads; of no child process. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field, the name in brackets, may contain spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Bytes that a process had fetched from storage so far, not from page cache, by all its threads: proc(5), /proc/PID/io. */
export function storageReadBytes(pid: number): number {
  const bytes = /^read_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  if (!bytes) throw new Error(`no read_bytes of process ${pid}`);
  return Number(bytes);
}

/** Most memory (resident set) that a process held since its start, or since {@link resetPeakMemory}. In MiB. */
export function peakMemoryMib(pid: number): number {
  return readStatusMib(pid, 'VmHWM');
}

/** Memory (resident set) that a process holds. In MiB. */
export function memoryMib(pid: number): number {
  return readStatusMib(pid, 'VmRSS');
}

/** Makes the present memory the peak. */
export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function readStatusMib(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (!kib) throw new Error(`no ${field} of process ${pid}`);
  return Number(kib) / 1024;
}
