import type { Log } from '../log.ts';
import { MetadataUnavailable } from '../meta/metadata-store.ts';
import type { Segment } from '../meta/records/blob-records.ts';
import type { NewUpload, UploadRecords, UploadSession } from '../meta/records/upload-records.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { appendName } from './append-locks.ts';
import { ENDED_KEPT_MS } from './upload-ids.ts';

/** Makes uploads blobs of their repositories. */
export class UploadCommits {
  readonly #uploads: UploadRecords;
  readonly #log: Log;

  constructor(uploads: UploadRecords, log: Log) {
    this.#uploads = uploads;
    this.#log = log;
  }

  /** Of an upload whose lock is held, and whose digest was compared. @throws OciError BLOB_UPLOAD_UNKNOWN */
  async finish(session: UploadSession, digest: Digest): Promise<void> {
    const { repository, id, offset } = session;
    const isFinished = await this.#commit(repository, id, digest, async () => {
      const isOpen = await this.#uploads.finish(session, digest, ENDED_KEPT_MS);
      return isOpen ? offset : undefined;
    });
    if (!isFinished) throw new OciError('BLOB_UPLOAD_UNKNOWN');
  }

  /**
   * All that most closing PUTs need, in one round trip: they have no body, nobody appends, and the digest is known.
   * @returns false when it isn't so, and nothing is changed
   */
  close(repository: RepositoryName, id: string, digest: Digest): Promise<boolean> {
    return this.#commit(repository, id, digest, () =>
      this.#uploads.close(repository, id, digest, ENDED_KEPT_MS, appendName(id)),
    );
  }

  /**
   * The same for one with a small body, all of the blob, whose digest was compared.
   * @returns false when there is such an upload already, or one appends; nothing is changed
   */
  put(upload: NewUpload, segment: Segment, digest: Digest): Promise<boolean> {
    const { repository, id } = upload;
    return this.#commit(repository, id, digest, async () => {
      const lockName = appendName(id);
      const isPut = await this.#uploads.put(upload, segment, digest, ENDED_KEPT_MS, lockName);
      return isPut ? segment.sizeBytes : undefined;
    });
  }

  /**
   * An error at COMMIT says nothing about the outcome: look again before answering that it failed.
   * @param commit gives the bytes of the blob; undefined: it isn't one
   */
  async #commit(
    repository: RepositoryName,
    id: string,
    digest: Digest,
    commit: () => Promise<number | undefined>,
  ): Promise<boolean> {
    let bytes: number | undefined;
    try {
      bytes = await commit();
    } catch (error) {
      if (!(error instanceof MetadataUnavailable)) throw error;
      const after = await this.#uploads.find(repository, id);
      if (after?.finished !== digest) throw error;
      bytes = after.offset;
    }
    if (bytes === undefined) return false;
    this.#log.info({ repository, digest, bytes }, 'stored blob');
    return true;
  }
}
