import type { BodyEnd } from '../src/oci/byte-source.ts';
import type { ObjectWriter } from '../src/storage/blob-store.ts';
import { newSegmentKey } from '../src/storage/keys.ts';
import { openStore } from '../src/storage/open-store.ts';
import { createDigestEngine } from '../src/workers/digest-engine.ts';
import type { AppendRequest, Ingest } from '../src/workers/ingest.ts';
import { type IngestOptions, openIngestPool } from '../src/workers/ingest-pool.ts';

/** Bytes that may wait for the store before the sender is paused. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** What the worker threads are compared with: the same digests and writes, on the thread that serves HTTP. */
export function openInlineIngest(options: IngestOptions): Ingest {
  const pool = openIngestPool({ ...options, threads: 1 });
  return {
    isBusy: false,
    append: (request) => append(request, options),
    digestStored: (segments, algorithm) => pool.digestStored(segments, algorithm),
    usage: () => pool.usage(),
    ping: () => pool.ping(),
    close: () => pool.close(),
  };
}

async function append(request: AppendRequest, options: IngestOptions): Promise<BodyEnd> {
  const { source, plan, commit } = request;
  const engine = await createDigestEngine(plan);
  const key = newSegmentKey();
  const object = await (await openStore(options.store)).create(key);
  const writes = new Writes(object, request);
  const end = await source.deliverTo((chunk) => {
    engine.update(chunk);
    writes.add(chunk.slice());
  });
  await writes.settled();
  await object.close();
  await commit({ key, sizeBytes: writes.sizeBytes, ...engine.checkpoint() });
  return end;
}

/** Writes chunks in order, and pauses their sender while too many wait. */
class Writes {
  readonly #object: ObjectWriter;
  readonly #source: AppendRequest['source'];
  readonly #all: Promise<void>[] = [];
  #waitingBytes = 0;
  sizeBytes = 0;

  constructor(object: ObjectWriter, { source }: AppendRequest) {
    this.#object = object;
    this.#source = source;
  }

  add(chunk: Uint8Array): void {
    this.sizeBytes += chunk.length;
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= MAX_WAITING_BYTES) this.#source.pause();
    this.#all.push(this.#write(chunk));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#all);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    await this.#object.write(chunk);
    this.#waitingBytes -= chunk.length;
    if (this.#waitingBytes < MAX_WAITING_BYTES) this.#source.resume();
  }
}
