import { setTimeout as delay } from 'node:timers/promises';
import type { HeldLock, Locks } from '../meta/metadata-store.ts';
import { OciError } from '../oci/error.ts';
import { clientGone } from './append-rules.ts';

/** How long a new append, or a status request, waits for an append whose client is gone. */
const MAX_WAIT_MS = 10_000;
/** A client that hung up and comes back at once may be faster than the news of its hanging up. */
const HANG_UP_NEWS_MS = 100;
const POLL_MS = 100;

export interface AppendLock {
  /** The client went away; what it sent is still being stored. Others wait from now on instead of being refused. */
  clientGone(): void;
  /** Harmless when called twice. */
  release(): Promise<void>;
}

interface LocalAppend {
  isClientGone: boolean;
  readonly ended: Promise<void>;
}

/**
 * One append at a time per upload, over all instances: a lock of that name in the database. A second one,
 * `gone:…`, is taken when the client of the append goes away, so that other instances know what to wait for.
 * An append that is begun here alone (`beginHere`) takes the lock with its commit.
 */
export class AppendLocks {
  readonly #locks: Locks;
  readonly #local = new Map<string, LocalAppend>();

  constructor(locks: Locks) {
    this.#locks = locks;
  }

  /**
   * `signal` tells that the client went away while this waits, perhaps for the database: then nothing may begin any
   * more, since its client may have asked for the status already.
   * @throws OciError 409 when another append to the upload is running, or the client is gone; MetadataUnavailable
   */
  async acquire(uploadId: string, signal?: AbortSignal): Promise<AppendLock> {
    const deadline = Date.now() + MAX_WAIT_MS;
    for (;;) {
      await this.#waitForLocal(uploadId, deadline);
      const isFree = !this.#local.has(uploadId);
      const lock = isFree ? await this.#tryAcquire(uploadId, signal) : undefined;
      if (signal?.aborted) {
        await lock?.release();
        throw clientGone();
      }
      if (lock) return lock;
      if (Date.now() >= deadline || (await this.#isAlive(uploadId))) throw busy();
      await delay(POLL_MS);
    }
  }

  /**
   * For an append that is over soon, and takes the lock only with its commit: until then this instance alone waits for it.
   * @returns what ends it; undefined when another append to the upload is running here
   */
  beginHere(uploadId: string, signal: AbortSignal): (() => void) | undefined {
    return this.#local.has(uploadId) ? undefined : this.#begin(uploadId, signal).forget;
  }

  /**
   * Resolves when no append whose client is gone is being stored any more.
   * @throws OciError 503 after the longest wait: an offset that is told now may be wrong in a moment
   */
  async waitWhileClientGone(uploadId: string): Promise<void> {
    const deadline = Date.now() + MAX_WAIT_MS;
    do {
      await this.#waitForLocal(uploadId, deadline);
      if (Date.now() >= deadline) throw stillStoring();
      // Another one may have begun when the one before ended.
    } while (this.#local.get(uploadId)?.isClientGone);
    if (!(await this.#locks.isHeld(appendName(uploadId)))) return;
    if (!this.#local.has(uploadId)) await delay(HANG_UP_NEWS_MS);
    while (await this.#locks.isHeld(goneName(uploadId))) {
      if (Date.now() >= deadline) throw stillStoring();
      await delay(POLL_MS);
    }
  }

  async #waitForLocal(uploadId: string, deadline: number): Promise<void> {
    const append = this.#local.get(uploadId);
    if (!append) return;
    if (!append.isClientGone) await delay(HANG_UP_NEWS_MS);
    if (!append.isClientGone) return;
    await Promise.race([
      append.ended,
      delay(Math.max(0, deadline - Date.now()), undefined, { ref: false }),
    ]);
  }

  /** Whether an append is running whose client is still there. */
  async #isAlive(uploadId: string): Promise<boolean> {
    const local = this.#local.get(uploadId);
    if (local) return !local.isClientGone;
    if (await this.#locks.isHeld(goneName(uploadId))) return false;
    await delay(HANG_UP_NEWS_MS);
    const isHeld = await this.#locks.isHeld(appendName(uploadId));
    return isHeld && !(await this.#locks.isHeld(goneName(uploadId)));
  }

  /** Has this instance know of an append. */
  #begin(uploadId: string, signal: AbortSignal | undefined) {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const append: LocalAppend = { isClientGone: signal?.aborted ?? false, ended };
    const onGone = () => {
      append.isClientGone = true;
    };
    signal?.addEventListener('abort', onGone);
    this.#local.set(uploadId, append);
    const forget = () => {
      signal?.removeEventListener('abort', onGone);
      this.#local.delete(uploadId);
      end();
    };
    return { append, forget };
  }

  async #tryAcquire(
    uploadId: string,
    signal: AbortSignal | undefined,
  ): Promise<AppendLock | undefined> {
    const { append, forget } = this.#begin(uploadId, signal);
    try {
      const held = await this.#locks.tryAcquire(appendName(uploadId));
      if (held) return this.#appendLock(uploadId, append, held, forget);
    } catch (error) {
      forget();
      throw error;
    }
    forget();
    return undefined;
  }

  #appendLock(
    uploadId: string,
    append: LocalAppend,
    held: HeldLock,
    forget: () => void,
  ): AppendLock {
    let gone: Promise<HeldLock | undefined> | undefined;
    let isReleased = false;
    return {
      clientGone: () => {
        // The rest of a refused body may still be dropped when its sender hangs up.
        if (isReleased) return;
        append.isClientGone = true;
        // Without it other instances answer 409 instead of waiting: no reason to fail.
        gone ??= this.#locks.tryAcquire(goneName(uploadId)).catch(() => undefined);
      },
      release: async () => {
        isReleased = true;
        await held.release();
        await (await gone)?.release();
        forget();
      },
    };
  }
}

/** The lock that whoever appends to an upload holds. */
export function appendName(uploadId: string): string {
  return `append:${uploadId}`;
}

function goneName(uploadId: string): string {
  return `gone:${uploadId}`;
}

function stillStoring(): OciError {
  return new OciError('UNAVAILABLE', {
    message: 'what an interrupted request sent is still being stored: ask again',
    headers: { 'Retry-After': '5' },
  });
}

function busy(): OciError {
  return new OciError('BLOB_UPLOAD_INVALID', {
    status: 409,
    message:
      'another request is appending to this upload: wait until it has ended, then ask for the status',
  });
}
