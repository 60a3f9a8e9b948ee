import { totalmem } from 'node:os';
import type { Config } from '../config.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const MIB = 1024 * 1024;
/** Besides the buffers: what it takes to run, and what a busy server had at most when it was measured. */
const IDLE_BYTES = 96 * MIB;
const BUSY_BYTES = 192 * MIB;

/** What this machine, or container, has for a server. */
export function* checkMachine({ workers }: Config): Generator<Finding> {
  const check = 'memory';
  const limit = memoryLimit();
  const buffers = workers.bufferMemoryBytes;
  const wanted = mebibytes(BUSY_BYTES + buffers);
  const figures = `${mebibytes(limit)} MiB may be used; a busy server needs ${wanted} MiB with BUFFER_MEMORY_MIB=${mebibytes(buffers)}`;
  const advice = `${figures}: raise the limit, or lower BUFFER_MEMORY_MIB`;
  if (limit < IDLE_BYTES + buffers) yield problem(check, advice);
  else if (limit < BUSY_BYTES + buffers) yield warning(check, advice);
  else yield ok(check, figures);
}

/** Of the control group where there is one. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  const total = totalmem();
  return constrained > 0 && constrained < total ? constrained : total;
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / MIB);
}
