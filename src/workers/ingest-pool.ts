import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { IngestUsage, Metrics } from '../metrics.ts';
import type { BodyEnd } from '../oci/byte-source.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { ObjectNotFound, StoreFull, StoreUnavailable } from '../storage/blob-store.ts';
import { partBytesOf, type StoreLocation } from '../storage/open-store.ts';
import { AppendFeed, type FeedLimit } from './append-feed.ts';
import { BUFFER_BYTES, BufferPool } from './buffer-pool.ts';
import { type AppendRequest, type Ingest, LengthMismatch, WorkerDied } from './ingest.ts';
import { PartBudget, PartCredit, type PartRule } from './part-budget.ts';
import type {
  AppendTask,
  DigestTask,
  FromWorker,
  TaskResult,
  ThreadReport,
  ToWorker,
} from './protocol.ts';
import { Semaphore } from './semaphore.ts';
import { untilAborted } from './until-aborted.ts';

export interface IngestOptions {
  readonly store: StoreLocation;
  readonly threads: number;
  /** For the bytes of all appends on their way to the store, and of one. */
  readonly bufferMemoryBytes: number;
  readonly bufferMemoryPerUploadBytes: number;
  /** Told of every worker that dies with a task. */
  readonly onWorkerDeath: (error: Error) => void;
  /** Told once why chunks are digested by hash-wasm, when the first one is. */
  readonly onSlowDigests?: (problem: string) => void;
  readonly metrics?: Pick<Metrics, 'digested' | 'storeRequest'> | undefined;
  /** A segment is closed when it has this many bytes; 32 GiB unless given. */
  readonly segmentBytes?: number;
}

const SEGMENT_BYTES = 32 * 1024 ** 3;
/** Appends that one thread may have at the same time; the HTTP layer's limits come first. */
const TASKS_PER_THREAD = 100_000;
/** Reading stored bytes again competes with pushes: a few at a time. */
const MAX_DIGESTS_OF_STORED = 2;
const IDLE_CHECK_MS = 250;
const YOUNG_GENERATION_MIB = 6;
/** Threads that die as they start, over and over, must not keep an append waiting. */
const START_TIMEOUT_MS = 5_000;

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
  readonly #loaded: Promise<void>;
  readonly #buffers: BufferPool;
  readonly #parts: Parts | undefined;
  readonly #feeds = new Set<AppendFeed>();
  /** Each resolves when a thread has loaded what digests an append. */
  readonly #starts = new Set<Promise<void>>();
  readonly #digests = new Semaphore(MAX_DIGESTS_OF_STORED);
  readonly #idleCheck: NodeJS.Timeout;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#threads = startThreads(options.threads);
    this.#loaded = untilLoaded(this.#threads, options.threads);
    collectReports(this.#threads, options);
    this.#parts = partsOf(options);
    // Where parts are granted, they are the limit.
    this.#buffers = new BufferPool(this.#parts ? Infinity : options.bufferMemoryBytes);
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
    const { port1: port, port2: workerPort } = new MessageChannel();
    const feed = new AppendFeed(request.source, port, this.#buffers, limit);
    this.#feeds.add(feed);
    try {
      const task = this.#runAppend(request, workerPort);
      return await driveAppend(request, port, feed, task, this.#noteStart());
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#parts?.budget.refuseWaiting(error);
      throw error;
    } finally {
      this.#feeds.delete(feed);
      feed.close();
      port.close();
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
    clearInterval(this.#idleCheck);
    // Node.js 20 dies with a thread that is ended while it loads its modules, or koffi.
    const loaded = Promise.all([this.#loaded, ...this.#starts]);
    await Promise.race([loaded, delay(START_TIMEOUT_MS, undefined, { ref: false })]);
    await this.#threads.destroy();
  }

  /** @returns what must be called when an append's thread loads nothing any more. */
  #noteStart(): () => void {
    let tell = () => {};
    const start = new Promise<void>((resolve) => {
      tell = resolve;
    });
    this.#starts.add(start);
    return () => {
      this.#starts.delete(start);
      tell();
    };
  }

  #runAppend(request: AppendRequest, port: MessagePort): Promise<void> {
    const { store, segmentBytes = SEGMENT_BYTES } = this.#options;
    const task: AppendTask = { port, store, plan: request.plan, segmentBytes };
    return this.#run<void>('append', task, [port]);
  }

  /** Store errors come back as values, so a rejection means that the thread is gone or the pool is closed. */
  async #run<T>(name: string, task: unknown, transferList: MessagePort[] = []): Promise<T> {
    try {
      return await this.#threads.run(task, { name, transferList });
    } catch (cause) {
      const error = new WorkerDied('the worker thread that stored this upload died', { cause });
      this.#options.onWorkerDeath(error);
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

function startThreads(threads: number): Piscina {
  return new Piscina({
    filename: ENTRY.href,
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

function collectReports(pool: Piscina, { metrics, onSlowDigests }: IngestOptions): void {
  let isSlowKnown = false;
  pool.on('message', ({ digested, storeRequests, slowDigests }: ThreadReport) => {
    for (const { engine, bytes, seconds } of digested) metrics?.digested(engine, bytes, seconds);
    for (const { operation, outcome, seconds } of storeRequests) {
      metrics?.storeRequest(operation, outcome, seconds);
    }
    if (slowDigests === undefined || isSlowKnown) return;
    isSlowKnown = true;
    onSlowDigests?.(slowDigests);
  });
}

/** Resolves when so many threads have loaded their code. */
function untilLoaded(pool: Piscina, threads: number): Promise<void> {
  let loaded = 0;
  return new Promise((resolve) => {
    pool.on('workerCreate', () => {
      loaded += 1;
      if (loaded === threads) resolve();
    });
  });
}

/** Feeds the body to the worker and commits its segments, until both ended. */
async function driveAppend(
  request: AppendRequest,
  port: MessagePort,
  feed: AppendFeed,
  task: Promise<void>,
  onStarted: () => void,
): Promise<BodyEnd> {
  const commits = new CommitQueue(request.commit);
  const stored = new Promise<TaskResult<'stored' | 'cancelled'>>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new WorkerDied('no worker thread started')),
      START_TIMEOUT_MS,
    );
    const onStart = () => {
      clearTimeout(timer);
      onStarted();
    };
    task.catch(reject).finally(onStart);
    port.on('message', (message: FromWorker) => {
      if (message.kind === 'spent') feed.onSpent(message.buffer, message.length);
      else if (message.kind === 'segment') commits.add(message.segment).catch(reject);
      else if (message.kind === 'started') onStart();
      else resolve(message.result);
    });
  });
  const send = (message: ToWorker) => port.postMessage(message);
  // A failure of the worker or of a commit ends the append at once; the rest of the body is dropped.
  const bodyEnd = await Promise.race([
    deliver(request, feed),
    feed.refused,
    stored.then(() => 'failed' as const),
  ]).catch(async (error: unknown) => {
    send({ kind: 'cancel' });
    // No commit may land, and no part hold memory, after the lock and the memory are given back.
    await stored.catch(() => undefined);
    await commits.settled().catch(() => undefined);
    throw error;
  });
  if (bodyEnd !== 'failed') {
    feed.flush();
    send({ kind: bodyEnd === 'wrong-length' ? 'cancel' : 'end' });
  }
  valueOf(await stored);
  await commits.settled();
  if (bodyEnd === 'wrong-length') throw new LengthMismatch(request.expectedBytes ?? 0);
  if (bodyEnd === 'failed') throw new WorkerDied('the worker ended before the body did');
  return bodyEnd;
}

/** Ends with the body, or as soon as it is longer than it may be. */
async function deliver(
  request: AppendRequest,
  feed: AppendFeed,
): Promise<BodyEnd | 'wrong-length'> {
  const { source, expectedBytes = Infinity } = request;
  let tellTooLong = () => {};
  const tooLong = new Promise<'wrong-length'>((resolve) => {
    tellTooLong = () => resolve('wrong-length');
  });
  const delivered = source.deliverTo((chunk) => {
    feed.write(chunk);
    if (feed.receivedBytes > expectedBytes) tellTooLong();
  });
  const end = await Promise.race([delivered, tooLong]);
  const isShort = end === 'complete' && feed.receivedBytes < (request.expectedBytes ?? 0);
  return isShort || feed.receivedBytes > expectedBytes ? 'wrong-length' : end;
}

/** Commits segments one at a time, in the order in which they were closed. */
class CommitQueue {
  readonly #commit: AppendRequest['commit'];
  #last: Promise<void> = Promise.resolve();

  constructor(commit: AppendRequest['commit']) {
    this.#commit = commit;
  }

  add(segment: Parameters<AppendRequest['commit']>[0]): Promise<void> {
    this.#last = this.#last.then(() => this.#commit(segment));
    return this.#last;
  }

  settled(): Promise<void> {
    return this.#last;
  }
}

function valueOf<T>(result: TaskResult<T>): T {
  if (result.kind === 'done') return result.value;
  switch (result.reason) {
    case 'full':
      throw new StoreFull(result.message);
    case 'not-found':
      throw new ObjectNotFound(result.key);
    case 'unavailable':
      throw new StoreUnavailable(result.message);
  }
}
