import { type Digest, isDigestAlgorithm } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Segment } from '../records/blob-records.ts';
import type { DigestCheckpoint, UploadRecords, UploadSession } from '../records/upload-records.ts';
import type { Database, Queryable } from './database.ts';
import { lockKey } from './locks.ts';
import { type SegmentColumns, toDigest, toSegments } from './rows.ts';

interface UploadRow extends SegmentColumns {
  algorithm: string;
  offset: number;
  digest: string | null;
  digest_engine: string | null;
  digest_state: Buffer | null;
  finished_digest: string | null;
  expires_in_ms: number;
}

const CREATE = {
  name: 'upload-create',
  text: `insert into uploads (id, repository, algorithm, created_by, expires)
         values ($1, $2, $3, $4, now() + $5 * interval '1 ms')`,
};
const FIND = {
  name: 'upload-find',
  text: `select u.algorithm, u.offset_bytes::float8 as offset, u.digest, u.digest_engine, u.digest_state,
                u.finished_digest, (extract(epoch from u.expires - now()) * 1000)::float8 as expires_in_ms,
                array(select s.key from upload_segments s where s.upload_id = u.id order by s.number) as keys,
                array(select s.size_bytes::float8 from upload_segments s where s.upload_id = u.id
                      order by s.number) as sizes
         from uploads u where u.id = $1 and u.repository = $2 and u.expires > now()`,
};
/** A segment's object on the deletion list leaves it; one that a sweep has claimed is as good as gone. */
const APPEND = {
  name: 'upload-append',
  text: `with listed as (
           delete from deletions where key = $3 returning is_claimed
         ),
         advanced as (
           update uploads
           set offset_bytes = offset_bytes + $4, digest = $5, digest_engine = $6, digest_state = $7,
               expires = now() + $8 * interval '1 ms'
           where id = $1 and offset_bytes = $2 and finished_digest is null
             and not exists (select from listed where is_claimed)
           returning id
         )
         insert into upload_segments (upload_id, number, key, size_bytes)
         select id, (select count(*) from upload_segments where upload_id = $1), $3, $4 from advanced
         returning number`,
};
/** What finds an upload, takes its lock and appends, in one; with the deletion list it is as APPEND. */
const APPEND_FIRST = {
  name: 'upload-append-first',
  text: `with listed as (
           delete from deletions where key = $4 returning is_claimed
         ),
         advanced as (
           update uploads
           set offset_bytes = $5, digest = $6, expires = now() + $7 * interval '1 ms'
           where id = $1 and repository = $2 and algorithm = $3 and offset_bytes = 0
             and finished_digest is null and expires > now()
             and not exists (select from listed where is_claimed)
             and pg_try_advisory_xact_lock($8::bigint)
           returning id
         )
         insert into upload_segments (upload_id, number, key, size_bytes)
         select id, 0, $4, $5 from advanced
         returning number`,
};
const FINISH = {
  name: 'upload-finish',
  text: `select finish_upload($1, $2, $3, $4 * interval '1 ms') as is_finished`,
};
const CLOSE = {
  name: 'upload-close',
  text: `select close_upload($1, $2, $3, $4 * interval '1 ms', $5)::float8 as length_bytes`,
};
const RETIRE_SEGMENTS = {
  name: 'upload-retire-segments',
  text: `insert into deletions (key) select key from upload_segments where upload_id = $1
         on conflict do nothing`,
};
const OPEN = {
  name: 'upload-open',
  text: `select id from uploads
         where id = $1 and repository = $2 and finished_digest is null and expires > now() for update`,
};
const REMOVE = { name: 'upload-remove', text: 'delete from uploads where id = $1' };
const EXPIRED = {
  name: 'upload-expired',
  text: `select id from uploads where expires <= now() order by expires limit $1 for update skip locked`,
};

export class PgUploadRecords implements UploadRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(session: Parameters<UploadRecords['create']>[0]): Promise<void> {
    const { id, repository, algorithm, principal, expiresAfterMs } = session;
    await this.#database.query(CREATE, [id, repository, algorithm, principal.uid, expiresAfterMs]);
  }

  async find(repository: RepositoryName, id: string): Promise<UploadSession | undefined> {
    const [row] = await this.#database.query<UploadRow>(FIND, [id, repository]);
    return row && toSession(repository, id, row);
  }

  async append(
    id: string,
    expectedOffset: number,
    segment: Segment,
    checkpoint: DigestCheckpoint,
    expiresAfterMs: number,
  ): Promise<boolean> {
    const { digest, engine, state } = checkpoint;
    const rows = await this.#database.query(APPEND, [
      id,
      expectedOffset,
      segment.key,
      segment.sizeBytes,
      digest ?? null,
      engine ?? null,
      state ? Buffer.from(state) : null,
      expiresAfterMs,
    ]);
    return rows.length === 1;
  }

  async appendFirst(
    { repository, id, algorithm }: Parameters<UploadRecords['appendFirst']>[0],
    { key, sizeBytes }: Segment,
    digest: Digest | undefined,
    expiresAfterMs: number,
    lockName: string,
  ): Promise<boolean> {
    const rows = await this.#database.query(APPEND_FIRST, [
      id,
      repository,
      algorithm,
      key,
      sizeBytes,
      digest ?? null,
      expiresAfterMs,
      lockKey(lockName),
    ]);
    return rows.length === 1;
  }

  async finish({ id, offset }: UploadSession, digest: Digest, keepForMs: number): Promise<boolean> {
    const values = [id, offset, digest, keepForMs];
    const [row] = await this.#database.change<{ is_finished: boolean }>(FINISH, values);
    return row?.is_finished ?? false;
  }

  async close(
    repository: RepositoryName,
    id: string,
    digest: Digest,
    keepForMs: number,
    lockName: string,
  ): Promise<number | undefined> {
    const values = [id, repository, digest, keepForMs, lockKey(lockName)];
    const [row] = await this.#database.change<{ length_bytes: number | null }>(CLOSE, values);
    return row?.length_bytes ?? undefined;
  }

  async discard(repository: RepositoryName, id: string): Promise<boolean> {
    return this.#database.transaction(async (query) => {
      const open = await query.query(OPEN, [id, repository]);
      if (open.length === 0) return false;
      await remove(query, id);
      return true;
    });
  }

  async expire(limit: number): Promise<number> {
    return this.#database.transaction(async (query) => {
      const expired = await query.query<{ id: string }>(EXPIRED, [limit]);
      for (const { id } of expired) await remove(query, id);
      return expired.length;
    });
  }
}

async function remove(query: Queryable, id: string): Promise<void> {
  await query.query(RETIRE_SEGMENTS, [id]);
  await query.query(REMOVE, [id]);
}

function toSession(repository: RepositoryName, id: string, row: UploadRow): UploadSession {
  if (!isDigestAlgorithm(row.algorithm)) throw new Error(`unknown algorithm ${row.algorithm}`);
  return {
    id,
    repository,
    algorithm: row.algorithm,
    offset: row.offset,
    checkpoint: {
      digest: row.digest === null ? undefined : toDigest(row.digest),
      engine: row.digest_engine ?? undefined,
      state: row.digest_state ?? undefined,
    },
    segments: toSegments(row),
    expiresInMs: row.expires_in_ms,
    finished: row.finished_digest === null ? undefined : toDigest(row.finished_digest),
  };
}
