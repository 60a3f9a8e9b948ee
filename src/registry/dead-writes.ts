import type { MetadataStore } from '../meta/metadata-store.ts';
import { lockOf } from '../meta/records/outbox-records.ts';
import type { BlobStore, UnfinishedObject } from '../storage/blob-store.ts';

/**
 * Tells the writes that a killed process left from those that wait for a slow client, on whichever instance: no clock
 * does, since a client may take days for what the store waits for.
 *
 * Whoever writes an object in parts holds a lock: that of its upload, or the compactor's. So a write belongs to one of the
 * locks that are held after it was seen, and is dead when each of them has been seen free since; at once when
 * none is held. A lock that is lost with its connection makes a living write look dead. It must have been
 * without news for the least age too, and the worst is that its append fails and its client repeats it.
 */
export class DeadWrites {
  readonly #metadata: MetadataStore;
  readonly #store: BlobStore;
  /** The locks that were held whenever the write was seen, by the write's id. */
  #suspects = new Map<string, ReadonlySet<string>>();

  constructor(metadata: MetadataStore, store: BlobStore) {
    this.#metadata = metadata;
    this.#store = store;
  }

  /**
   * @param ownLock the lock under which the caller works
   * @param isStopping asked between two writes
   * @returns how many were removed
   */
  async remove(minAgeMs: number, ownLock: string, isStopping: () => boolean): Promise<number> {
    const seen: UnfinishedObject[] = [];
    for await (const write of this.#store.unfinished(minAgeMs)) {
      if (isStopping()) return 0;
      seen.push(write);
    }
    if (seen.length === 0) {
      this.#suspects.clear();
      return 0;
    }
    // Only now: a write that was seen began under a lock that is still held, or has ended.
    const { locks, outbox } = this.#metadata;
    // Those of sinks are held all the time, and nobody writes under them.
    const others = (await outbox.sinks()).map(lockOf);
    const held = await locks.heldBut([ownLock, ...others]);
    const dead = this.#judge(seen, held);
    let removed = 0;
    for (const write of dead) {
      if (isStopping()) break;
      await this.#store.removeUnfinished(write);
      removed += 1;
    }
    return removed;
  }

  #judge(seen: readonly UnfinishedObject[], held: ReadonlySet<string>): UnfinishedObject[] {
    const suspects = new Map<string, ReadonlySet<string>>();
    const dead: UnfinishedObject[] = [];
    for (const write of seen) {
      const owners = [...(this.#suspects.get(write.id) ?? held)].filter((lock) => held.has(lock));
      if (owners.length === 0) dead.push(write);
      else suspects.set(write.id, new Set(owners));
    }
    this.#suspects = suspects;
    return dead;
  }
}
