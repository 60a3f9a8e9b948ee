import { setTimeout as delay } from 'node:timers/promises';
import { Piscina } from 'piscina';
import { ObjectNotFound, StoreUnavailable } from '../storage/blob-store.ts';
import type { StoreLocation } from '../storage/open-store.ts';
import { WorkerDied } from './ingest.ts';
import type { TaskResult } from './protocol.ts';
import { PaceControl } from './scan-pace.ts';
import type { ScanTask } from './scm-scan-worker.ts';
import type { ScmScanRequest, ScmScanResult, ScmScans } from './scm-scans.ts';

export interface ScanPoolOptions {
  readonly store: StoreLocation;
  /** True while scans should leave the machine to others. */
  readonly isBusy: () => boolean;
}

/** A small blob must not wait for a large one. A thread with a task that may be aborted gets no other. */
const MAX_THREADS = 2;
/** Then a thread's memory is given back. */
const IDLE_MS = 30_000;
const BUSY_CHECK_MS = 50;
/** Between the blobs of a push there are pauses. */
const STAYS_BUSY_MS = 500;
/** A scan that makes no step for so long hangs, and its thread is ended; a store that is silent fails before. */
const HANG_MS = 180_000;
const YOUNG_GENERATION_MIB = 2;
const OLD_GENERATION_MIB = 128;
/** Every scan notices within a step that it has to end. */
const END_TIMEOUT_MS = 5_000;

/** What the threads run; see ingest-pool.ts. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../dist/workers/scm-scan-worker.js'
    : './scm-scan-worker.js',
  import.meta.url,
);

/** Threads are started with the first scans. */
export function openScanPool(options: ScanPoolOptions): ScmScans {
  return new ScanPool(options);
}

class ScanPool implements ScmScans {
  readonly #options: ScanPoolOptions;
  readonly #control = new PaceControl();
  readonly #running = new Set<Promise<unknown>>();
  readonly #threads = new Piscina({
    filename: ENTRY.href,
    minThreads: 0,
    maxThreads: MAX_THREADS,
    idleTimeout: IDLE_MS,
    resourceLimits: {
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB,
      maxOldGenerationSizeMb: OLD_GENERATION_MIB,
    },
    // With the default, a thread sleeps in Atomics.wait between tasks and its own timers never run.
    atomics: 'disabled',
  });
  #watch: NodeJS.Timeout | undefined;
  #busyUntilMs = 0;

  constructor(options: ScanPoolOptions) {
    this.#options = options;
  }

  async scan(request: ScmScanRequest): Promise<ScmScanResult> {
    this.#observe();
    this.#watch ??= setInterval(() => this.#observe(), BUSY_CHECK_MS).unref();
    const result = this.#run(request);
    this.#running.add(result);
    try {
      return await result;
    } finally {
      this.#running.delete(result);
      if (this.#running.size === 0) this.#rest();
    }
  }

  async close(): Promise<void> {
    this.#control.end();
    // Node.js 20 dies with a thread that is ended while it loads its modules.
    const ended = Promise.allSettled(this.#running);
    await Promise.race([ended, delay(END_TIMEOUT_MS, undefined, { ref: false })]);
    this.#rest();
    await this.#threads.destroy();
  }

  async #run({ segments }: ScmScanRequest): Promise<ScmScanResult> {
    const hang = new HangDetector(this.#control);
    try {
      const task: ScanTask = { store: this.#options.store, segments, cells: this.#control.cells };
      const options = { name: 'scan', signal: hang.signal };
      const result: TaskResult<ScmScanResult> = await this.#threads.run(task, options);
      return valueOf(result);
    } catch (cause) {
      if (cause instanceof ObjectNotFound || cause instanceof StoreUnavailable) throw cause;
      throw new WorkerDied('the thread that looked into this blob ended', { cause });
    } finally {
      hang.stop();
    }
  }

  #rest(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #observe(): void {
    const nowMs = performance.now();
    if (this.#options.isBusy()) this.#busyUntilMs = nowMs + STAYS_BUSY_MS;
    this.#control.setBusy(nowMs < this.#busyUntilMs);
  }
}

/** Gives a signal when no scan has made a step for a long time. */
class HangDetector {
  readonly #control: PaceControl;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #steps: number;

  constructor(control: PaceControl) {
    this.#control = control;
    this.#steps = control.steps;
    this.#timer = setInterval(() => this.#check(), HANG_MS).unref();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { steps } = this.#control;
    if (steps === this.#steps) this.#abort.abort();
    this.#steps = steps;
  }
}

function valueOf(result: TaskResult<ScmScanResult>): ScmScanResult {
  if (result.kind === 'done') return result.value;
  if (result.reason === 'not-found') throw new ObjectNotFound(result.key);
  throw new StoreUnavailable(result.message);
}
