import { type Digest, isDigestAlgorithm } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Segment } from '../records/blob-records.ts';
import type {
  DigestCheckpoint,
  NewUpload,
  UploadRecords,
  UploadSession,
} from '../records/upload-records.ts';
import type { Database, TransactionQueryable } from './database.ts';
import { lockKey } from './locks.ts';
import { type SegmentColumns, toDigest, toSegments } from './rows.ts';

interface UploadRow extends SegmentColumns {
  algorithm: string;
  offset: number;
  digest: string | null;
  digest_engine: string | null;
  digest_state: Buffer | null;
  finished_digest: string | null;
  is_discarded: boolean;
  expires_in_ms: number;
}

interface ExpiredRow {
  readonly id: string;
  readonly has_ended: boolean;
}

const CREATE = {
  name: 'upload-create',
  text: `insert into uploads (id, repository, algorithm, created_by, expires)
         values ($1, $2, $3, $4, now() + $5 * interval '1 ms')
         on conflict do nothing
         returning id`,
};
const FIND = {
  name: 'upload-find',
  text: `select u.algorithm, u.offset_bytes::float8 as offset, u.digest, u.digest_engine, u.digest_state,
                u.finished_digest, u.is_discarded, (extract(epoch from u.expires - now()) * 1000)::float8 as expires_in_ms,
                array(select s.key from upload_segments s where s.upload_id = u.id order by s.number) as keys,
                array(select s.size_bytes::float8 from upload_segments s where s.upload_id = u.id
                      order by s.number) as sizes
         from uploads u where u.id = $1 and u.repository = $2`,
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
           where id = $1 and offset_bytes = $2 and finished_digest is null and not is_discarded
             and not exists (select from listed where is_claimed)
           returning id
         )
         insert into upload_segments (upload_id, number, key, size_bytes)
         select id, (select count(*) from upload_segments where upload_id = $1), $3, $4 from advanced
         returning number`,
};
/** With the deletion list it is as APPEND. */
const CREATE_WITH = {
  name: 'upload-create-with',
  text: `with listed as (
           delete from deletions where key = $6 returning is_claimed
         ),
         created as (
           insert into uploads (id, repository, algorithm, created_by, expires, offset_bytes, digest)
           select $1, $2, $3, $4, now() + $5 * interval '1 ms', $7, $8
           where not exists (select from listed where is_claimed) and pg_try_advisory_xact_lock($9::bigint)
           on conflict do nothing
           returning id
         )
         insert into upload_segments (upload_id, number, key, size_bytes)
         select id, 0, $6, $7 from created
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
const PUT = {
  name: 'upload-put',
  text: `select put_upload($1, $2, $3, $4, $5 * interval '1 ms', $6, $7, $8, $9) as is_finished`,
};
const RETIRE_SEGMENTS = {
  name: 'upload-retire-segments',
  text: `insert into deletions (key) select key from upload_segments where upload_id = $1
         on conflict do nothing`,
};
const REMOVE_SEGMENTS = {
  name: 'upload-remove-segments',
  text: 'delete from upload_segments where upload_id = $1',
};
const OPEN = {
  name: 'upload-open',
  text: `select id from uploads
         where id = $1 and repository = $2 and finished_digest is null and not is_discarded and expires > now()
         for update`,
};
const DISCARD = {
  name: 'upload-discard',
  text: `update uploads
         set is_discarded = true, digest = null, digest_engine = null, digest_state = null,
             expires = now() + $2 * interval '1 ms'
         where id = $1`,
};
const REMOVE = { name: 'upload-remove', text: 'delete from uploads where id = $1' };
const EXPIRED = {
  name: 'upload-expired',
  text: `select id, finished_digest is not null or is_discarded as has_ended from uploads
         where expires <= now() order by expires limit $1 for update skip locked`,
};

export class PgUploadRecords implements UploadRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(upload: NewUpload): Promise<UploadSession | undefined> {
    const rows = await this.#database.query(CREATE, newUploadColumns(upload));
    return rows.length === 1 ? newSession(upload) : undefined;
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

  async createWith(
    upload: NewUpload,
    { key, sizeBytes }: Segment,
    digest: Digest | undefined,
    lockName: string,
  ): Promise<boolean> {
    const segment = [key, sizeBytes, digest ?? null, lockKey(lockName)];
    const rows = await this.#database.query(CREATE_WITH, [...newUploadColumns(upload), ...segment]);
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

  async put(
    upload: NewUpload,
    { key, sizeBytes }: Segment,
    digest: Digest,
    keepForMs: number,
    lockName: string,
  ): Promise<boolean> {
    const columns = newUploadColumns({ ...upload, expiresAfterMs: keepForMs });
    const values = [...columns, key, sizeBytes, digest, lockKey(lockName)];
    const [row] = await this.#database.change<{ is_finished: boolean }>(PUT, values);
    return row?.is_finished ?? false;
  }

  async discard(repository: RepositoryName, id: string, keepForMs: number): Promise<boolean> {
    return this.#database.transaction(async (query) => {
      const open = await query.query(OPEN, [id, repository]);
      if (open.length === 0) return false;
      discard(query, id, keepForMs);
      return true;
    });
  }

  async expire(limit: number, keepForMs: number): Promise<number> {
    return this.#database.transaction(async (query) => {
      const expired = await query.query<ExpiredRow>(EXPIRED, [limit]);
      for (const { id, has_ended: hasEnded } of expired) {
        if (hasEnded) query.send(REMOVE, [id]);
        else discard(query, id, keepForMs);
      }
      return expired.length;
    });
  }
}

function discard(query: TransactionQueryable, id: string, keepForMs: number): void {
  query.send(DISCARD, [id, keepForMs]);
  query.send(RETIRE_SEGMENTS, [id]);
  query.send(REMOVE_SEGMENTS, [id]);
}

/** Those of CREATE. */
function newUploadColumns(upload: NewUpload): unknown[] {
  const { id, repository, algorithm, principal, expiresAfterMs } = upload;
  return [id, repository, algorithm, principal.uid, expiresAfterMs];
}

function newSession({ id, repository, algorithm, expiresAfterMs }: NewUpload): UploadSession {
  return {
    id,
    repository,
    algorithm,
    offset: 0,
    checkpoint: { digest: undefined, engine: undefined, state: undefined },
    segments: [],
    expiresInMs: expiresAfterMs,
    finished: undefined,
    isOver: false,
  };
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
    isOver: row.is_discarded || row.expires_in_ms <= 0,
  };
}
