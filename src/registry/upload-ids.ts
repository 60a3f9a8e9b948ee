import { createHash, randomFillSync } from 'node:crypto';
import type { DigestAlgorithm } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/repository-name.ts';

/** The row of an upload that has ended stays so long. */
export const ENDED_KEPT_MS = 24 * 3_600_000;
/** Between the clocks of instances. */
const MAX_SKEW_MS = 3_600_000;
/** So long an upload may wait for its first bytes. When it is over, the row of one that has ended is still there: no id begins twice. */
const MAX_UNBEGUN_MS = ENDED_KEPT_MS - MAX_SKEW_MS;

const UPLOAD_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ALGORITHMS: readonly DigestAlgorithm[] = ['sha256', 'sha512'];
/** Where the checksum begins. */
const CONTENT_BYTES = 12;
const ID_BYTES = 16;

/**
 * Ids of uploads tell what there is to know of an upload that has no bytes yet: any instance takes the first ones, and until
 * then no row is needed. They are no secrets: who may push to the repository is asked with each request.
 *
 * An id is a UUID of version 8 (RFC 9562, section 5.8):
 *
 *   bytes 0 to 3     when it was given, in seconds since 1970
 *   byte 6           the version, and the place in ALGORITHMS
 *   bytes 4 to 11    otherwise random, but for the variant in byte 8
 *   bytes 12 to 15   a checksum over registry, repository and the bytes before: ids that weren't given are not taken
 */
export class UploadIds {
  readonly #registryId: string;
  readonly #maxAgeMs: number;
  readonly #now: () => number;

  /** @param expirationMs after which an upload is over that nothing was sent to, if that is less than 23 hours */
  constructor(registryId: string, expirationMs: number, now: () => number = Date.now) {
    this.#registryId = registryId;
    this.#maxAgeMs = Math.min(expirationMs, MAX_UNBEGUN_MS);
    this.#now = now;
  }

  give(repository: RepositoryName, algorithm: DigestAlgorithm): string {
    const id = randomFillSync(Buffer.allocUnsafe(ID_BYTES));
    id.writeUInt32BE(Math.floor(this.#now() / 1000), 0);
    id.writeUInt8(0x80 | ALGORITHMS.indexOf(algorithm), 6);
    id.writeUInt8(0x80 | (id.readUInt8(8) & 0x3f), 8);
    this.#checksum(repository, id).copy(id, CONTENT_BYTES);
    return format(id);
  }

  /** @returns the algorithm of an upload that may begin under this id; undefined: the id wasn't given, or not today */
  read(repository: RepositoryName, text: string): DigestAlgorithm | undefined {
    if (!isUploadId(text)) return undefined;
    const id = Buffer.from(text.replaceAll('-', ''), 'hex');
    if (!this.#checksum(repository, id).equals(id.subarray(CONTENT_BYTES))) return undefined;
    const ageMs = this.#now() - id.readUInt32BE(0) * 1000;
    if (ageMs > this.#maxAgeMs || ageMs < -MAX_SKEW_MS) return undefined;
    return ALGORITHMS[id.readUInt8(6) & 0x0f];
  }

  #checksum(repository: RepositoryName, id: Buffer): Buffer {
    return createHash('sha256')
      .update(`pierone upload ${this.#registryId} ${repository} `)
      .update(id.subarray(0, CONTENT_BYTES))
      .digest()
      .subarray(0, ID_BYTES - CONTENT_BYTES);
  }
}

/** Before anything is asked of the database: it takes nothing else for an id. */
export function isUploadId(text: string): boolean {
  return UPLOAD_ID.test(text);
}

function format(id: Buffer): string {
  const hex = id.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
