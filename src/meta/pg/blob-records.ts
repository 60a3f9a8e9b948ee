import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { BlobRecord, BlobRecords, FragmentedBlob, Segment } from '../records/blob-records.ts';
import type { Database } from './database.ts';
import { takeOffDeletions } from './deletion-records.ts';
import { linkBlob } from './repositories.ts';
import { type SegmentColumns, toDigest, toSegments } from './rows.ts';

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
/** The index of fragmented blobs has those that have a segment of number 1. */
const FRAGMENTED = {
  name: 'blob-fragmented',
  text: `select f.digest,
                array(select s.key from blob_segments s where s.digest = f.digest order by s.number) as keys,
                array(select s.size_bytes::float8 from blob_segments s where s.digest = f.digest
                      order by s.number) as sizes
         from blob_segments f where f.number = 1 and f.digest > $1 order by f.digest limit $2`,
};
const LOCK_SEGMENTS = {
  name: 'blob-lock-segments',
  text: 'select key from blob_segments where digest = $1 order by number for update',
};
const REMOVE_SEGMENTS = {
  name: 'blob-remove-segments',
  text: 'delete from blob_segments where digest = $1',
};
const ADD_SEGMENT = {
  name: 'blob-add-segment',
  text: 'insert into blob_segments (digest, number, key, size_bytes) values ($1, 0, $2, $3)',
};
const RETIRE = {
  name: 'blob-retire-objects',
  text: `insert into deletions (key, since)
         select key, now() + $2 * interval '1 ms' from unnest($1::text[]) as replaced (key)
         on conflict (key) do update set since = excluded.since`,
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
  async fragmented(limit: number, after: Digest | undefined): Promise<FragmentedBlob[]> {
    const rows = await this.#database.query<SegmentColumns & { digest: string }>(FRAGMENTED, [
      after ?? '',
      limit,
    ]);
    return rows.map((row) => ({ digest: toDigest(row.digest), segments: toSegments(row) }));
  }

  async join(
    { digest, segments }: FragmentedBlob,
    joined: Segment,
    keepMs: number,
  ): Promise<boolean> {
    return this.#database.transaction(async (query, rollback) => {
      const rows = await query.query<{ key: string }>(LOCK_SEGMENTS, [digest]);
      const isSame =
        rows.length === segments.length &&
        rows.every(({ key }, number) => key === segments[number]?.key);
      if (!isSame || !(await takeOffDeletions(query, joined.key))) return rollback(false);
      await query.query(REMOVE_SEGMENTS, [digest]);
      await query.query(ADD_SEGMENT, [digest, joined.key, joined.sizeBytes]);
      await query.query(RETIRE, [segments.map(({ key }) => key), keepMs]);
      return true;
    });
  }
}
