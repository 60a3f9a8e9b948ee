import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { MetadataStore } from '../../src/meta/metadata-store.ts';
import { migrate } from '../../src/meta/pg/migrate.ts';
import { openPgMetadataStore } from '../../src/meta/pg/pg-metadata-store.ts';
import type { Segment } from '../../src/meta/records/blob-records.ts';
import type { DigestCheckpoint, NewUpload } from '../../src/meta/records/upload-records.ts';
import { type Digest, digestBytes } from '../../src/oci/digest.ts';
import { ANONYMOUS } from '../../src/oci/principal.ts';
import { parseRepositoryName, type RepositoryName } from '../../src/oci/repository-name.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { createDatabase, sql } from '../support/test-registry.ts';

/*
 * Rows that come late against a sweep that decides about the same keys: a key is named, or deleted, never both.
 */

const HOUR_MS = 3_600_000;
const CHECKPOINT: DigestCheckpoint = { digest: undefined, engine: undefined, state: undefined };
const REPOSITORY = repositoryName('deletions/list');

let postgres: TestPostgres;
let databaseUrl: string;
let metadata: MetadataStore;

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  await migrate(databaseUrl);
  metadata = openPgMetadataStore({
    url: databaseUrl,
    maxConnections: 10,
    isMutableTag: () => false,
    onConnectionLost: () => undefined,
  });
});

afterEach(() => metadata?.close());

afterAll(() => postgres?.stop());

function repositoryName(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`${text} is no name`);
  return name;
}

function newSegment(): Segment {
  return { key: newSegmentKey(), sizeBytes: 10 };
}

function newUpload(): NewUpload {
  return {
    id: randomUUID(),
    repository: REPOSITORY,
    algorithm: 'sha256',
    principal: ANONYMOUS,
    expiresAfterMs: HOUR_MS,
  };
}

async function startUpload(): Promise<string> {
  const upload = newUpload();
  await metadata.uploads.create(upload);
  return upload.id;
}

function append(id: string, segment: Segment, offset = 0): Promise<boolean> {
  return metadata.uploads.append(id, offset, segment, CHECKPOINT, HOUR_MS);
}

function createWith(upload: NewUpload, segment: Segment): Promise<boolean> {
  return metadata.uploads.createWith(upload, segment, undefined, `append:${upload.id}`);
}

function put(upload: NewUpload, segment: Segment): Promise<boolean> {
  const digest = digestBytes('sha256', Buffer.from(upload.id));
  return metadata.uploads.put(upload, segment, digest, HOUR_MS, `append:${upload.id}`);
}

/** Each makes an upload that has the segment, or is refused. */
const APPENDS = [
  ['an append', async (segment: Segment) => append(await startUpload(), segment)],
  ['a first append', (segment: Segment) => createWith(newUpload(), segment)],
  ['a closing PUT with a body', (segment: Segment) => put(newUpload(), segment)],
] as const;

/** A blob whose bytes are in so many objects. */
async function makeBlob(segments: readonly Segment[]): Promise<Digest> {
  const id = await startUpload();
  for (const [number, segment] of segments.entries()) await append(id, segment, number * 10);
  const session = await metadata.uploads.find(REPOSITORY, id);
  const digest = digestBytes('sha256', Buffer.from(id));
  if (!session || !(await metadata.uploads.finish(session, digest, HOUR_MS))) {
    throw new Error('the upload was not finished');
  }
  return digest;
}

async function listed(): Promise<string[]> {
  const rows = await sql<{ key: string }>(databaseUrl, 'select key from deletions order by key');
  return rows.map(({ key }) => key);
}

test('what a row names is not put on the list', async () => {
  const [uploaded, stray] = [newSegment(), newSegment()];
  await append(await startUpload(), uploaded);
  const ofBlob = [newSegment(), newSegment()];
  await makeBlob(ofBlob);
  await metadata.deletions.addUnknown(
    [uploaded, stray, ...ofBlob].map(({ key }) => key),
    0,
  );
  expect(await listed()).toEqual([stray.key]);
});

test.each(APPENDS)('%s takes its object off the list', async (_name, add) => {
  const segment = newSegment();
  await metadata.deletions.addUnknown([segment.key], 0);
  expect(await add(segment)).toBe(true);
  expect(await listed()).toEqual([]);
  expect(await metadata.deletions.claimDue(0, 10)).toEqual([]);
});

test.each(APPENDS)(
  '%s whose object a sweep has claimed is refused, and changes nothing',
  async (_name, add) => {
    const segment = newSegment();
    await metadata.deletions.addUnknown([segment.key], 0);
    expect(await metadata.deletions.claimDue(0, 10)).toEqual([segment.key]);
    expect(await add(segment)).toBe(false);
    expect(await sql(databaseUrl, 'select from upload_segments')).toEqual([]);
    expect(await sql(databaseUrl, 'select from uploads where offset_bytes > 0')).toEqual([]);
    expect(await add(newSegment())).toBe(true);
  },
);

test('a first append is one to an upload that has no row, and whose lock nobody holds', async () => {
  const upload = newUpload();
  const held = await metadata.locks.tryAcquire(`append:${upload.id}`);
  expect(await createWith(upload, newSegment())).toBe(false);
  expect(await put(upload, newSegment())).toBe(false);
  await held?.release();
  expect(await createWith(upload, newSegment())).toBe(true);
  expect(await createWith(upload, newSegment())).toBe(false);
  expect(await put(upload, newSegment())).toBe(false);
  expect(await metadata.uploads.create(upload)).toBeUndefined();
  expect(await metadata.uploads.find(REPOSITORY, upload.id)).toMatchObject({ offset: 10 });
});

test('an upload that was discarded is remembered so, for its time', async () => {
  const [upload, segment] = [newUpload(), newSegment()];
  await createWith(upload, segment);
  expect(await metadata.uploads.discard(REPOSITORY, upload.id, HOUR_MS)).toBe(true);
  expect(await metadata.uploads.discard(REPOSITORY, upload.id, HOUR_MS)).toBe(false);
  expect(await listed()).toEqual([segment.key]);
  const session = await metadata.uploads.find(REPOSITORY, upload.id);
  expect(session).toMatchObject({ isOver: true, segments: [] });
  if (!session) throw new Error('it is forgotten');
  expect(await append(upload.id, newSegment(), session.offset)).toBe(false);
  expect(await createWith(upload, newSegment())).toBe(false);
  const digest = digestBytes('sha256', Buffer.from(upload.id));
  expect(await metadata.uploads.finish(session, digest, HOUR_MS)).toBe(false);
  const lockName = `append:${upload.id}`;
  const closing = metadata.uploads.close(REPOSITORY, upload.id, digest, HOUR_MS, lockName);
  expect(await closing).toBeUndefined();
  expect(await metadata.uploads.expire(10, HOUR_MS)).toBe(0);
  await sql(databaseUrl, 'update uploads set expires = now()');
  expect(await metadata.uploads.expire(10, HOUR_MS)).toBe(1);
  expect(await metadata.uploads.find(REPOSITORY, upload.id)).toBeUndefined();
});

test('one whose time is over is discarded first, and removed later', async () => {
  const [upload, segment] = [newUpload(), newSegment()];
  await createWith(upload, segment);
  await sql(databaseUrl, 'update uploads set expires = now()');
  expect(await metadata.uploads.find(REPOSITORY, upload.id)).toMatchObject({ isOver: true });
  expect(await metadata.uploads.expire(10, 0)).toBe(1);
  expect(await listed()).toEqual([segment.key]);
  expect(await metadata.uploads.create(upload)).toBeUndefined();
  expect(await metadata.uploads.expire(10, HOUR_MS)).toBe(1);
  expect(await metadata.uploads.find(REPOSITORY, upload.id)).toBeUndefined();
});

test('a key on the list that a row names all the same is not claimed, and leaves it', async () => {
  const [named, stray] = [newSegment(), newSegment()];
  await append(await startUpload(), named);
  await sql(databaseUrl, 'insert into deletions (key) select unnest($1::text[])', [
    [named.key, stray.key],
  ]);
  expect(await metadata.deletions.claimDue(0, 10)).toEqual([stray.key]);
  expect(await listed()).toEqual([stray.key]);
});

test('a claim that a crash left is claimed again; one that is done is gone', async () => {
  const { key } = newSegment();
  await metadata.deletions.addUnknown([key], 0);
  expect(await metadata.deletions.claimDue(0, 10)).toEqual([key]);
  expect(await metadata.deletions.claimDue(0, 10)).toEqual([key]);
  await metadata.deletions.done([key]);
  expect(await metadata.deletions.claimDue(0, 10)).toEqual([]);
});

test('keys are claimed when their time is over, not before', async () => {
  const [old, young, later] = [newSegment().key, newSegment().key, newSegment().key];
  await metadata.deletions.addUnknown([old], -2 * HOUR_MS);
  await metadata.deletions.addUnknown([young], 0);
  await metadata.deletions.addUnknown([later], HOUR_MS);
  expect(await metadata.deletions.claimDue(HOUR_MS, 10)).toEqual([old]);
  expect((await metadata.deletions.claimDue(0, 10)).toSorted()).toEqual([old, young].toSorted());
});

test.each(APPENDS)(
  'of %s and sweeps at the same time one wins each key, and both know who',
  async (_name, add) => {
    for (let round = 0; round < 20; round += 1) {
      const segments = Array.from({ length: 20 }, newSegment);
      const keys = segments.map(({ key }) => key);
      await metadata.deletions.addUnknown(keys, 0);
      const appending = segments.map((segment) => add(segment));
      const claiming = metadata.deletions.claimDue(0, 1000);
      const appended = await Promise.all(appending);
      const claimed = new Set(await claiming);
      const named = keys.filter((_, number) => appended[number]);
      expect(named.filter((key) => claimed.has(key))).toEqual([]);
      expect(named.length + claimed.size).toBe(keys.length);
      await metadata.deletions.done(keys);
    }
  },
);

test('blobs of several objects are found, in pages; others are not', async () => {
  await makeBlob([newSegment()]);
  const segments = [1, 2, 3].map(() => [newSegment(), newSegment(), newSegment()]);
  const digests: Digest[] = [];
  for (const some of segments) digests.push(await makeBlob(some));
  digests.sort();
  const first = await metadata.blobs.fragmented(2, undefined);
  const second = await metadata.blobs.fragmented(2, first.at(-1)?.digest);
  expect([...first, ...second].map(({ digest }) => digest)).toEqual(digests);
  expect(segments).toContainEqual(second[0]?.segments);
});

test('a joined object replaces those that were joined, which go to the list', async () => {
  const replaced = [newSegment(), newSegment()];
  const digest = await makeBlob(replaced);
  const joined = { key: newSegmentKey(), sizeBytes: 20 };
  await metadata.deletions.addUnknown([joined.key], 0);
  const blob = { digest, segments: replaced };
  expect(await metadata.blobs.join(blob, joined, HOUR_MS)).toBe(true);
  expect(await metadata.blobs.find(REPOSITORY, digest)).toEqual({
    sizeBytes: 20,
    segments: [joined],
  });
  expect(await listed()).toEqual(replaced.map(({ key }) => key).toSorted());
  expect(await metadata.deletions.claimDue(0, 10)).toEqual([]);
  expect(await metadata.blobs.fragmented(10, undefined)).toEqual([]);
  // A second one comes too late.
  expect(await metadata.blobs.join(blob, { ...joined, key: newSegmentKey() }, 0)).toBe(false);
  expect((await metadata.blobs.find(REPOSITORY, digest))?.segments).toEqual([joined]);
});

test('a joined object that a sweep has claimed replaces nothing', async () => {
  const segments = [newSegment(), newSegment()];
  const digest = await makeBlob(segments);
  const joined = { key: newSegmentKey(), sizeBytes: 20 };
  await metadata.deletions.addUnknown([joined.key], 0);
  await metadata.deletions.claimDue(0, 10);
  expect(await metadata.blobs.join({ digest, segments }, joined, HOUR_MS)).toBe(false);
  expect((await metadata.blobs.find(REPOSITORY, digest))?.segments).toEqual(segments);
});
