import { setTimeout as delay } from 'node:timers/promises';
import { imageOf, OCI_MANIFEST, type Sample, sampleOf } from './sample-content.ts';
import { SeededRandom } from './seeded-random.ts';
import type { StrictClient } from './strict-client.ts';

const RETRY_PAUSE_MS = 250;
/** A client that never gets through isn't told of its failure in any other way. */
const MAX_RETRIES = 400;
const LAYERS: LayerSizes = { minBytes: 300_000, maxBytes: 3_000_000 };
/** Slow senders send a layer in about so many pieces. */
const PIECES = 20;

export interface LayerSizes {
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** What a 201 promised: a GET of `path` answers the bytes with that digest. */
export interface Promised {
  readonly path: string;
  readonly digest: string;
}

/** A blob that every pusher may mount. */
export interface Mountable {
  readonly repository: string;
  readonly blob: Sample;
}

/** Pushes image after image, each layer in another way; what is answered by 503 is continued, or repeated. */
export class PersistentPusher {
  readonly promised: Promised[] = [];
  /** Images that were pushed. */
  images = 0;
  readonly #client: StrictClient;
  readonly #repository: string;
  readonly #mountable: Mountable;
  readonly #random: SeededRandom;
  readonly #layers: LayerSizes;

  constructor(client: StrictClient, number: number, mountable: Mountable, layers = LAYERS) {
    this.#client = client;
    this.#repository = `load/pusher-${number}`;
    this.#mountable = mountable;
    this.#random = new SeededRandom(number);
    this.#layers = layers;
  }

  async pushUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.#pushImage();
  }

  async #pushImage(): Promise<void> {
    const layer = this.#layer();
    const ways = [
      () => this.#pushBlob(layer, (path, offset) => this.#stream(path, layer, offset)),
      () => this.#pushBlob(layer, (path, offset) => this.#appendInChunks(path, layer, offset)),
      () => this.#pushBlob(layer, (path, offset) => this.#finish(path, layer, offset)),
      () => this.#pushWhole(layer),
    ];
    await ways[(this.images + this.#random.integer(0, 1)) % ways.length]?.();
    await this.#mount();
    const tag = `1.${this.images}`;
    const image = imageOf(this.#mountable.blob, [layer], `${this.#repository} ${tag}`);
    const path = `/v2/${this.#repository}/manifests/`;
    await this.#persist(() =>
      this.#client.send('PUT', path + tag, 201, {
        headers: { 'Content-Type': OCI_MANIFEST },
        body: image.bytes,
      }),
    );
    for (const reference of [tag, image.digest]) {
      this.promised.push({ path: path + reference, digest: image.digest });
    }
    this.images += 1;
  }

  /** `send` sends an open upload's bytes from an offset on: true when the blob is stored. */
  async #pushBlob(
    blob: Sample,
    send: (path: string, offset: number) => Promise<boolean>,
  ): Promise<void> {
    const uploads = `/v2/${this.#repository}/blobs/uploads/`;
    const started = await this.#persist(() => this.#client.send('POST', uploads, 202));
    const path = started.headers['location'] ?? '';
    let offset = 0;
    await this.#persist(async () => {
      if (await send(path, offset)) return true;
      offset = await this.#offsetOf(path, blob);
      return undefined;
    });
    this.#stored(blob);
  }

  /** A closing PUT that got 503 may have closed the upload: then nothing is left to send, and it is repeated. */
  async #offsetOf(path: string, blob: Sample): Promise<number> {
    const repeated = `${path}?digest=${blob.digest}`;
    return this.#persist(async () => {
      const status = await this.#client.statusOf(path);
      if (status === undefined) return undefined;
      if (status !== 'closed') return status;
      return (await this.#client.send('PUT', repeated, 201)) && blob.bytes.length;
    });
  }

  /** One PATCH, chunked, in pieces with pauses; an empty closing PUT. */
  async #stream(path: string, blob: Sample, offset: number): Promise<boolean> {
    const rest = blob.bytes.subarray(offset);
    if (rest.length > 0) {
      const pieces = this.#cut(rest);
      if (!(await this.#client.sendSlowly('PATCH', path, 202, pieces))) return false;
    }
    return this.#close(path, blob);
  }

  /** Several PATCHes with Content-Range, the last piece in the closing PUT. */
  async #appendInChunks(path: string, blob: Sample, offset: number): Promise<boolean> {
    const chunkBytes = Math.ceil(blob.bytes.length / 5);
    let first = offset;
    for (; first + chunkBytes < blob.bytes.length; first += chunkBytes) {
      const body = blob.bytes.subarray(first, first + chunkBytes);
      const headers = { 'Content-Range': `${first}-${first + chunkBytes - 1}` };
      if (!(await this.#client.send('PATCH', path, 202, { headers, body }))) return false;
    }
    return this.#finish(path, blob, first);
  }

  /** All of the rest in the closing PUT, slowly. */
  async #finish(path: string, blob: Sample, offset: number): Promise<boolean> {
    const rest = blob.bytes.subarray(offset);
    if (rest.length === 0) return this.#close(path, blob);
    const headers = { 'Content-Length': String(rest.length) };
    const pieces = this.#cut(rest);
    const url = `${path}?digest=${blob.digest}`;
    return (await this.#client.sendSlowly('PUT', url, 201, pieces, headers)) !== undefined;
  }

  async #close(path: string, blob: Sample): Promise<boolean> {
    return (await this.#client.send('PUT', `${path}?digest=${blob.digest}`, 201)) !== undefined;
  }

  async #pushWhole(blob: Sample): Promise<void> {
    const path = `/v2/${this.#repository}/blobs/uploads/?digest=${blob.digest}`;
    await this.#persist(() => this.#client.send('POST', path, 201, { body: blob.bytes }));
    this.#stored(blob);
  }

  async #mount(): Promise<void> {
    const { blob, repository } = this.#mountable;
    const path = `/v2/${this.#repository}/blobs/uploads/?mount=${blob.digest}&from=${repository}`;
    await this.#persist(() => this.#client.send('POST', path, 201));
    this.#stored(blob);
  }

  #stored({ digest }: Sample): void {
    this.promised.push({ path: `/v2/${this.#repository}/blobs/${digest}`, digest });
  }

  #layer(): Sample {
    const { minBytes, maxBytes } = this.#layers;
    return sampleOf(this.#random.bytes(this.#random.integer(minBytes, maxBytes)));
  }

  #cut(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    return this.#random.cut(bytes, Math.ceil((2 * this.#layers.maxBytes) / PIECES));
  }

  async #persist<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (let retries = 0; retries < MAX_RETRIES; retries += 1) {
      const result = await attempt();
      if (result !== undefined) return result;
      await delay(RETRY_PAUSE_MS);
    }
    throw new Error(`${this.#repository}: a step failed ${MAX_RETRIES} times`);
  }
}
