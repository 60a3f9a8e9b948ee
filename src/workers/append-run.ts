import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { BodyEnd } from '../oci/byte-source.ts';
import { AppendFeed, type FeedLimit } from './append-feed.ts';
import type { BufferPool } from './buffer-pool.ts';
import { type AppendRequest, type ClosedSegment, LengthMismatch, WorkerDied } from './ingest.ts';
import type { FromWorker, TaskResult, ToWorker } from './protocol.ts';
import { valueOf } from './task-result.ts';
import { noThread, START_TIMEOUT_MS } from './thread-life.ts';

/** What the worker threads do for an append. Both reject when the thread dies, or none lives. */
export interface AppendThreads {
  /** Stores what comes through the port, as protocol.ts tells. Resolves at its end. */
  append(port: MessagePort): Promise<void>;
  /** Stores all bytes of a small body, which are transferred. */
  storeSmall(bytes: Uint8Array<ArrayBuffer>): Promise<TaskResult<ClosedSegment>>;
}

type Stored = TaskResult<'stored' | 'cancelled'>;

/**
 * One append: feeds the body to a worker and commits its segments, until both ended. A body that ends while it is small is
 * a task of its own; for a longer one a channel is opened.
 */
export class AppendRun {
  readonly feed: AppendFeed;
  readonly #request: AppendRequest;
  readonly #threads: AppendThreads;
  readonly #commits: CommitQueue;
  readonly #stored: Promise<Stored>;
  #tellStored: (result: Stored) => void = () => {};
  #failStored: (error: unknown) => void = () => {};
  /** To the worker; undefined while the body is small. */
  #port: MessagePort | undefined;

  constructor(
    request: AppendRequest,
    threads: AppendThreads,
    buffers: BufferPool,
    limit: FeedLimit,
  ) {
    this.#request = request;
    this.#threads = threads;
    this.#commits = new CommitQueue(request.commit);
    this.feed = new AppendFeed(request.source, () => this.#open(), buffers, limit);
    this.#stored = new Promise((resolve, reject) => {
      this.#tellStored = resolve;
      this.#failStored = reject;
    });
    // Met below; until then it must not count as unhandled.
    this.#stored.catch(() => undefined);
  }

  /** Call it once. Resolves when what came is stored and committed. */
  async end(): Promise<BodyEnd> {
    try {
      return await this.#run();
    } catch (error) {
      // No commit may land after the lock is given back.
      await this.#commits.settled().catch(() => undefined);
      throw error;
    }
  }

  async #run(): Promise<BodyEnd> {
    // A failure of the worker or of a commit ends the append at once; the rest of the body is dropped.
    const bodyEnd = await Promise.race([
      this.#deliver(),
      this.feed.refused,
      this.#stored.then(() => 'failed' as const),
    ])
      .finally(() => this.feed.stop())
      .catch((cause: unknown) => this.#giveUp(cause));
    const { small } = this.feed;
    if (!small) await this.#endStream(bodyEnd);
    else if (small.length > 0 && bodyEnd !== 'wrong-length') {
      await this.#commits.add(valueOf(await this.#threads.storeSmall(small)));
    }
    if (bodyEnd === 'wrong-length') throw new LengthMismatch(this.#request.expectedBytes ?? 0);
    if (bodyEnd === 'failed') throw new WorkerDied('the worker ended before the body did');
    return bodyEnd;
  }

  /** Harmless at any time. Buffers that are still under way are given up. */
  close(): void {
    this.feed.close();
    this.#port?.close();
  }

  async #endStream(bodyEnd: BodyEnd | 'wrong-length' | 'failed'): Promise<void> {
    if (bodyEnd !== 'failed') {
      this.feed.flush();
      this.#send({ kind: bodyEnd === 'wrong-length' ? 'cancel' : 'end' });
    }
    valueOf(await this.#stored);
    await this.#commits.settled();
  }

  async #giveUp(cause: unknown): Promise<never> {
    if (this.#port) {
      this.#send({ kind: 'cancel' });
      await this.#stored.catch(() => undefined);
    }
    throw cause;
  }

  #open(): MessagePort {
    const { port1: port, port2: workerPort } = new MessageChannel();
    this.#port = port;
    const timer = setTimeout(() => this.#failStored(noThread()), START_TIMEOUT_MS);
    port.on('message', (message: FromWorker) => {
      if (message.kind === 'started') clearTimeout(timer);
      else this.#receive(message);
    });
    this.#threads
      .append(workerPort)
      .catch((error: unknown) => this.#failStored(error))
      .finally(() => clearTimeout(timer));
    return port;
  }

  #receive(message: Exclude<FromWorker, { kind: 'started' }>): void {
    if (message.kind === 'spent') this.feed.onSpent(message.buffer, message.length);
    else if (message.kind === 'ended') this.#tellStored(message.result);
    else this.#commits.add(message.segment).catch((error: unknown) => this.#failStored(error));
  }

  #send(message: ToWorker): void {
    this.#port?.postMessage(message);
  }

  /** Ends with the body, or as soon as it is longer than it may be. */
  async #deliver(): Promise<BodyEnd | 'wrong-length'> {
    const { source, expectedBytes = Infinity } = this.#request;
    const { feed } = this;
    let tellTooLong = () => {};
    const tooLong = new Promise<'wrong-length'>((resolve) => {
      tellTooLong = () => resolve('wrong-length');
    });
    const delivered = source.deliverTo((chunk) => {
      feed.write(chunk);
      if (feed.receivedBytes > expectedBytes) tellTooLong();
    });
    const end = await Promise.race([delivered, tooLong]);
    const isShort = end === 'complete' && feed.receivedBytes < (this.#request.expectedBytes ?? 0);
    return isShort || feed.receivedBytes > expectedBytes ? 'wrong-length' : end;
  }
}

/** Commits segments one at a time, in the order in which they were closed. */
class CommitQueue {
  readonly #commit: AppendRequest['commit'];
  #last: Promise<void> = Promise.resolve();

  constructor(commit: AppendRequest['commit']) {
    this.#commit = commit;
  }

  add(segment: ClosedSegment): Promise<void> {
    this.#last = this.#last.then(() => this.#commit(segment));
    return this.#last;
  }

  settled(): Promise<void> {
    return this.#last;
  }
}
