import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { IngestUsage, Metrics } from '../metrics.ts';
import type { BodyEnd } from '../oci/byte-source.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { StoreUnavailable } from '../storage/blob-store.ts';
import { partBytesOf, type StoreLocation } from '../storage/open-store.ts';
import type { AppendFeed, FeedLimit } from './append-feed.ts';
import { AppendRun, type AppendThreads } from './append-run.ts';
import { BUFFER_BYTES, BufferPool } from './buffer-pool.ts';
import { type AppendRequest, type ClosedSegment, type Ingest, WorkerDied } from './ingest.ts';
import { PartBudget, PartCredit, type PartRule } from './part-budget.ts';
import type { AppendTask, DigestTask, StoreTask, TaskResult, ThreadMessage } from './protocol.ts';
import { Semaphore } from './semaphore.ts';
import { valueOf } from './task-result.ts';
import { LoadedThreads, whileAlive } from './thread-life.ts';
import { untilAborted } from './until-aborted.ts';

export interface IngestOptions {
  readonly store: StoreLocation;
  readonly threads: number;
  /** For the bytes of all appends on their way to the store, and of one. */
  readonly bufferMemoryBytes: number;
  readonly bufferMemoryPerUploadBytes: number;
  /** Told of every worker that dies with a task. */
  readonly onWorkerDeath: (error: Error) => void;
  readonly metrics?: Pick<Metrics, 'digested' | 'storeRequest'> | undefined;
  /** Told once why chunks are digested by hash-wasm. */
  readonly onSlowDigests?: (problem: string) => void;
  /** A segment is closed when it has this many bytes, on S3 as many whole parts; 32 GiB unless given. */
  readonly segmentBytes?: number;
  /** What the threads run; ingest-worker.ts unless given. */
  readonly entry?: URL;
}

const SEGMENT_BYTES = 32 * 1024 ** 3;
/** Appends that one thread may have at the same time; the HTTP layer's limits come first. */
const TASKS_PER_THREAD = 100_000;
/** Reading stored bytes again competes with pushes: a few at a time. */
const MAX_DIGESTS_OF_STORED = 2;
const IDLE_CHECK_MS = 250;
const YOUNG_GENERATION_MIB = 6;
/** Memory of all appends to a store that takes parts. */
interface Parts {
  readonly budget: PartBudget;
  readonly rule: PartRule;
}

/** Starts the worker threads. */
export function openIngestPool(options: IngestOptions): Ingest {
  return new IngestPool(options);
}

class IngestPool implements Ingest {
  readonly #options: IngestOptions;
  readonly #threads: Piscina;
  readonly #loaded: LoadedThreads;
  readonly #buffers: BufferPool;
  readonly #parts: Parts | undefined;
  readonly #feeds = new Set<AppendFeed>();
  readonly #digests = new Semaphore(MAX_DIGESTS_OF_STORED);
  readonly #idleCheck: NodeJS.Timeout;
  #isClosing = false;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#threads = startThreads(options);
    this.#loaded = new LoadedThreads(this.#threads);
    collectMessages(this.#threads, this.#loaded, options);
    this.#parts = partsOf(options);
    const { bufferMemoryBytes } = options;
    // Where parts are granted, they are the limit.
    this.#buffers = new BufferPool(this.#parts ? Infinity : bufferMemoryBytes, bufferMemoryBytes);
    this.#idleCheck = setInterval(() => {
      for (const feed of this.#feeds) feed.check();
    }, IDLE_CHECK_MS);
    this.#idleCheck.unref();
  }

  get isBusy(): boolean {
    return this.#feeds.size > 0;
  }

  async append(request: AppendRequest): Promise<BodyEnd> {
    const limit = await this.#admit(request);
    if (!limit) return 'cut';
    const run = new AppendRun(request, this.#threadsFor(request), this.#buffers, limit);
    this.#feeds.add(run.feed);
    try {
      return await run.end();
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#parts?.budget.refuseWaiting(error);
      throw error;
    } finally {
      this.#feeds.delete(run.feed);
      run.close();
    }
  }

  /** Resolves when there is memory for the append to begin; without a limit when its client has gone meanwhile. */
  async #admit({ source, expectedBytes, signal }: AppendRequest): Promise<FeedLimit | undefined> {
    if (!this.#parts) {
      await this.#buffers.untilRelieved();
      const { bufferMemoryPerUploadBytes } = this.#options;
      return { maxUnderWay: Math.floor(bufferMemoryPerUploadBytes / BUFFER_BYTES) };
    }
    const { budget, rule } = this.#parts;
    const credit = new PartCredit(budget, rule, expectedBytes ?? source.announcedBytes);
    try {
      const isThere = await untilAborted(credit.begin(), signal);
      if (isThere) return { credit };
    } catch (error) {
      credit.close();
      throw error;
    }
    credit.close();
    return undefined;
  }

  async digestStored(
    segments: DigestTask['segments'],
    algorithm: DigestAlgorithm,
  ): Promise<Digest> {
    const task: DigestTask = { store: this.#options.store, segments, algorithm };
    return this.#digests.run(async () => {
      try {
        return valueOf(await this.#run<TaskResult<Digest>>('digestStored', task));
      } catch (error) {
        // Those that wait would fail too, one after the other.
        if (error instanceof StoreUnavailable) this.#digests.refuseWaiting(error);
        throw error;
      }
    });
  }

  usage(): IngestUsage {
    const { threads } = this.#threads;
    const busyMs = threads.map(({ performance }) => performance.eventLoopUtilization().active);
    return {
      appends: this.#feeds.size,
      memoryBytes: this.#parts?.budget.grantedBytes ?? this.#buffers.takenBytes,
      memoryLimitBytes: this.#options.bufferMemoryBytes,
      threads: threads.length,
      busySeconds: busyMs.reduce((sum, ms) => sum + ms, 0) / 1000,
    };
  }

  async ping(): Promise<void> {
    await this.#threads.run(undefined, { name: 'ping' });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#idleCheck);
    await this.#loaded.all();
    await this.#threads.destroy();
  }

  #threadsFor({ plan }: AppendRequest): AppendThreads {
    const { store } = this.#options;
    const segmentBytes = this.#segmentBytes();
    return {
      append: (port) => {
        const task: AppendTask = { port, store, plan, segmentBytes };
        return this.#run<void>('append', task, [port]);
      },
      storeSmall: (bytes) => {
        const task: StoreTask = { store, plan, bytes };
        const stored = this.#run<TaskResult<ClosedSegment>>('storeSmall', task, [bytes.buffer]);
        return whileAlive(stored, () => this.ping());
      },
    };
  }

  /** Of whole parts: what were left of one at a segment's end would be granted, and never sent. */
  #segmentBytes(): number {
    const { segmentBytes = SEGMENT_BYTES } = this.#options;
    const partBytes = this.#parts?.rule.partBytes ?? 1;
    return Math.max(partBytes, segmentBytes - (segmentBytes % partBytes));
  }

  /** Errors of the store come back as values, so a rejection means that the thread died, or the pool is being closed. */
  async #run<T>(
    name: string,
    task: unknown,
    transferList: (MessagePort | ArrayBuffer)[] = [],
  ): Promise<T> {
    try {
      return await this.#threads.run(task, { name, transferList });
    } catch (cause) {
      const error = new WorkerDied('the worker thread that stored this upload died', { cause });
      if (!this.#isClosing) this.#options.onWorkerDeath(error);
      throw error;
    }
  }
}

/**
 * What the threads run. From source (tests, benchmarks) that is the built file too, since Node.js 20 can't load
 * TypeScript in worker threads.
 */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/workers/ingest-worker.js' : './ingest-worker.js',
  import.meta.url,
);

function partsOf(options: IngestOptions): Parts | undefined {
  const partBytes = partBytesOf(options.store);
  if (partBytes === undefined) return undefined;
  const rule = { partBytes, maxBytes: options.bufferMemoryPerUploadBytes };
  return { budget: new PartBudget(options.bufferMemoryBytes, BUFFER_BYTES), rule };
}

function startThreads({ threads, entry = ENTRY }: IngestOptions): Piscina {
  return new Piscina({
    filename: entry.href,
    minThreads: threads,
    maxThreads: threads,
    // Appends are long and mostly wait: all run at once, spread over the threads by load.
    concurrentTasksPerWorker: TASKS_PER_THREAD,
    // What it makes is short-lived and small: more room for it is memory that does nothing.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    // With the default, a thread sleeps in Atomics.wait between tasks and its own timers never run.
    atomics: 'disabled',
  });
}

function collectMessages(
  pool: Piscina,
  loaded: LoadedThreads,
  { metrics, onSlowDigests }: IngestOptions,
): void {
  let isSlowKnown = false;
  pool.on('message', (message: ThreadMessage) => {
    if (message.kind === 'loaded') {
      loaded.add(message.threadId);
      return;
    }
    const { digested, storeRequests, slowDigests } = message;
    for (const { engine, bytes, seconds } of digested) metrics?.digested(engine, bytes, seconds);
    for (const { operation, outcome, seconds } of storeRequests) {
      metrics?.storeRequest(operation, outcome, seconds);
    }
    if (slowDigests === undefined || isSlowKnown) return;
    isSlowKnown = true;
    onSlowDigests?.(slowDigests);
  });
}
