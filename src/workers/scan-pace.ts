import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { Unreadable } from './unreadable.ts';

/*
 * What the HTTP thread and the threads of scans tell each other without a message, in memory that both have: an
 * Int32Array with these places.
 */
const BUSY = 0;
const ENDING = 1;
const STEPS = 2;

const WORK_MS = 5;
/** While pushes are under way, of each share of work: a twentieth of one core. */
const REST_FACTOR = 19;

/** The scan was told to end; another one begins anew. */
export class ScanEnded extends Error {
  override readonly name = 'ScanEnded';
}

/** The HTTP thread's side. */
export class PaceControl {
  readonly cells = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));

  setBusy(isBusy: boolean): void {
    Atomics.store(this.cells, BUSY, Number(isBusy));
  }

  end(): void {
    Atomics.store(this.cells, ENDING, 1);
  }

  /** Changes as long as scans get on. */
  get steps(): number {
    return Atomics.load(this.cells, STEPS);
  }
}

/** One scan's side: lets it work a little at a time, seldom while pushes are under way, and not for ever. */
export class ScanPace {
  readonly #cells: Int32Array;
  readonly #maxWorkMs: number;
  #workedMs = 0;
  #sinceMs = performance.now();

  /** @param maxWorkMs rests don't count */
  constructor(cells: Int32Array, maxWorkMs: number) {
    this.#cells = cells;
    this.#maxWorkMs = maxWorkMs;
  }

  /** @throws Unreadable when the time is over, ScanEnded */
  async pause(): Promise<void> {
    Atomics.add(this.#cells, STEPS, 1);
    const workMs = performance.now() - this.#sinceMs;
    if (workMs < WORK_MS) return;
    this.#workedMs += workMs;
    if (this.#workedMs > this.#maxWorkMs) {
      throw new Unreadable(`it takes more than ${this.#maxWorkMs / 1000} s`);
    }
    if (Atomics.load(this.#cells, BUSY) === 1) await this.#rest(workMs * REST_FACTOR);
    else await nextTurn();
    if (Atomics.load(this.#cells, ENDING) === 1) throw new ScanEnded('the scan was ended');
    this.#sinceMs = performance.now();
  }

  /** Ends early with the last push. */
  async #rest(restMs: number): Promise<void> {
    const endMs = performance.now() + restMs;
    for (;;) {
      const leftMs = endMs - performance.now();
      const [isBusy, isEnding] = [BUSY, ENDING].map((cell) => Atomics.load(this.#cells, cell));
      if (leftMs <= 0 || !isBusy || isEnding) return;
      await delay(Math.min(leftMs, 100));
      Atomics.add(this.#cells, STEPS, 1);
    }
  }
}
