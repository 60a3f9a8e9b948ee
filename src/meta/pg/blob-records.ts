import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { BlobRecord, BlobRecords } from '../metadata-store.ts';
import type { Database } from './database.ts';
import { linkBlob } from './repositories.ts';
import { type SegmentColumns, toSegments } from './rows.ts';

interface BlobRow extends SegmentColumns {
  size: number;
  is_stale: boolean;
}

const FIND = {
  name: 'blob-find',
  text: `select b.size_bytes::float8 as size, b.last_used < now() - interval '1 hour' as is_stale,
                array(select s.key from blob_segments s where s.digest = b.digest order by s.number) as keys,
                array(select s.size_bytes::float8 from blob_segments s where s.digest = b.digest
                      order by s.number) as sizes
         from repositories r join blob_links l on l.repository_id = r.id join blobs b on b.digest = l.digest
         where r.name = $1 and l.digest = $2`,
};
const TOUCH = {
  name: 'blob-touch',
  text: `update blobs set last_used = now() where digest = $1 and last_used < now() - interval '1 hour'`,
};

export class PgBlobRecords implements BlobRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async find(repository: RepositoryName, digest: Digest): Promise<BlobRecord | undefined> {
    const [row] = await this.#database.query<BlobRow>(FIND, [repository, digest]);
    if (!row) return undefined;
    if (row.is_stale) await this.#database.query(TOUCH, [digest]);
    return { sizeBytes: row.size, segments: toSegments(row) };
  }

  async mount(digest: Digest, from: RepositoryName, to: RepositoryName): Promise<boolean> {
    return this.#database.transaction(async (query) => {
      const [row] = await query.query<BlobRow>(FIND, [from, digest]);
      if (!row) return false;
      if (row.is_stale) await query.query(TOUCH, [digest]);
      await linkBlob(query, to, digest);
      return true;
    });
  }
}
