import { totalmem } from 'node:os';
import type { Config } from '../config.ts';
import { type Finding, ok, problem } from './finding.ts';

const MIB = 1024 * 1024;
/** What a busy server needs besides its buffers; measured. */
const BASE_BYTES = 192 * MIB;

/** What this machine, or container, has for a server. */
export function* checkMachine({ workers }: Config): Generator<Finding> {
  const check = 'memory';
  const limit = memoryLimit();
  const needed = BASE_BYTES + workers.bufferMemoryBytes;
  const figures = `${mebibytes(limit)} MiB may be used; ${mebibytes(needed)} MiB are needed with BUFFER_MEMORY_MIB=${mebibytes(workers.bufferMemoryBytes)}`;
  yield limit < needed
    ? problem(check, `${figures}: raise the limit, or lower BUFFER_MEMORY_MIB`)
    : ok(check, figures);
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
