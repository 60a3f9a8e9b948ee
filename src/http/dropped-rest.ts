/**
 * Where a connection is to be closed after an answer that was given early, so much more of the body is read and
 * dropped first: a connection that is closed with unread bytes takes the answer with it.
 */
const MAX_DROPPED_BYTES = 64 * 1024 * 1024;

/** A sender that has its answer may stop: so long without a byte, and the rest is waited for no longer. */
const QUIET_MS = 1_000;

/** The rest of a body that nobody wants. */
export class DroppedRest {
  #bytes = 0;
  #isOver = false;
  #quiet: NodeJS.Timeout | undefined;
  #tell = () => {};

  /** Resolves when no more of it comes, or enough was dropped for the connection to be closed. */
  enough(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#tell = resolve;
      this.#quiet = setTimeout(resolve, QUIET_MS);
    });
  }

  count(bytes: number): void {
    this.#quiet?.refresh();
    this.#bytes += bytes;
    if (this.#bytes > MAX_DROPPED_BYTES) this.end();
  }

  /** No more of it comes, or no more of it is waited for. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#quiet);
    this.#tell();
  }
}
