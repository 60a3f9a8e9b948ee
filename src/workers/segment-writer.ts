import type { BlobStore, ObjectWriter } from '../storage/blob-store.ts';
import { newSegmentKey } from '../storage/keys.ts';
import type { DigestEngine } from './digest-engine.ts';
import type { Inbox } from './inbox.ts';
import { digest } from './timed-digest.ts';

/** Writes under way at the same time: the store works while the next buffer is digested. */
const MAX_WRITES_AHEAD = 3;

/** Cuts the bytes of one append into segments, each an object of its own. */
export class SegmentWriter {
  readonly #store: BlobStore;
  readonly #engine: DigestEngine;
  readonly #inbox: Inbox;
  readonly #segmentBytes: number;
  readonly #writes: Promise<void>[] = [];
  #open: { readonly key: string; readonly object: ObjectWriter } | undefined;
  #sizeBytes = 0;

  constructor(store: BlobStore, engine: DigestEngine, inbox: Inbox, segmentBytes: number) {
    this.#store = store;
    this.#engine = engine;
    this.#inbox = inbox;
    this.#segmentBytes = segmentBytes;
  }

  /** Takes the buffer and sends it home when its bytes are written and digested. */
  async write(buffer: SharedArrayBuffer, length: number): Promise<void> {
    this.#open ??= await this.#start();
    const bytes = new Uint8Array(buffer, 0, length);
    const written = this.#open.object.write(bytes, () =>
      this.#inbox.send({ kind: 'spent', buffer, length }),
    );
    // Met below, or by close(); until then it must not count as unhandled.
    written.catch(() => undefined);
    digest(this.#engine, bytes);
    this.#sizeBytes += length;
    this.#writes.push(written);
    if (this.#writes.length >= MAX_WRITES_AHEAD) await this.#writes.shift();
    if (this.#sizeBytes >= this.#segmentBytes) await this.#closeSegment();
  }

  /** Makes the open segment durable and has it committed; without bytes there is none. More may follow. */
  async close(): Promise<void> {
    if (this.#open) await this.#closeSegment();
  }

  /** Leaves nothing of an open segment; harmless after close. */
  async abort(): Promise<void> {
    await this.#open?.object.abort();
    await Promise.allSettled(this.#writes);
  }

  async #start() {
    const key = newSegmentKey();
    return { key, object: await this.#store.create(key, (error) => this.#inbox.fail(error)) };
  }

  async #closeSegment(): Promise<void> {
    if (!this.#open) return;
    const { key, object } = this.#open;
    await Promise.all(this.#writes.splice(0));
    await object.close();
    const segment = { key, sizeBytes: this.#sizeBytes, ...this.#engine.checkpoint() };
    this.#open = undefined;
    this.#sizeBytes = 0;
    this.#inbox.send({ kind: 'segment', segment });
  }
}
