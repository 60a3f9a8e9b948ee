import { parentPort, threadId } from 'node:worker_threads';
import { observeStore } from '../storage/store-requests.ts';
import type { ThreadMessage, ThreadReport } from './protocol.ts';

const DELAY_MS = 200;
/** A store that fails at once is asked again and again. */
const MAX_REQUESTS = 10_000;

/** What this thread did since it last told the pool. */
class Reporter {
  readonly #digested = new Map<string, { bytes: number; seconds: number }>();
  readonly #storeRequests: ThreadReport['storeRequests'][number][] = [];
  #slowDigests: string | undefined;
  #isDue = false;

  digested(engine: string, bytes: number, seconds: number): void {
    const before = this.#digested.get(engine);
    if (before) {
      before.bytes += bytes;
      before.seconds += seconds;
    } else this.#digested.set(engine, { bytes, seconds });
    this.#tellSoon();
  }

  storeRequest(operation: string, outcome: string, seconds: number): void {
    if (this.#storeRequests.length < MAX_REQUESTS) {
      this.#storeRequests.push({ operation, outcome, seconds });
    }
    this.#tellSoon();
  }

  /** @param problem why OpenSSL can't be used for chunks */
  digestsSlowly(problem: string): void {
    this.#slowDigests = problem;
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => this.#tell(), DELAY_MS).unref();
  }

  #tell(): void {
    this.#isDue = false;
    const digested = [...this.#digested].map(([engine, { bytes, seconds }]) => ({
      engine,
      bytes,
      seconds,
    }));
    const storeRequests = this.#storeRequests.splice(0);
    this.#digested.clear();
    const slowDigests = this.#slowDigests;
    this.#slowDigests = undefined;
    tell({ kind: 'report', digested, storeRequests, slowDigests });
  }
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

/** Of this thread. */
export const reporter = new Reporter();

/** From now on the store's requests in this thread are told too. */
export function reportStoreRequests(): void {
  observeStore((operation, outcome, seconds) => reporter.storeRequest(operation, outcome, seconds));
}

/** All code of this thread is loaded. */
export function reportLoaded(): void {
  tell({ kind: 'loaded', threadId });
}
