import type { Log } from '../log.ts';
import { MetadataUnavailable } from '../meta/metadata-store.ts';
import type { UploadRecords, UploadSession } from '../meta/records/upload-records.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { appendName } from './append-locks.ts';
import { UNBEGUN_KEPT_MS } from './upload-ids.ts';

/** A finished upload is remembered so long, for closing PUTs that are repeated. */
const FINISHED_KEPT_MS = UNBEGUN_KEPT_MS;

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
      const isOpen = await this.#uploads.finish(session, digest, FINISHED_KEPT_MS);
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
      this.#uploads.close(repository, id, digest, FINISHED_KEPT_MS, appendName(id)),
    );
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
