import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { HttpClient } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type S3Proxy, startS3Proxy } from '../support/s3-proxy.ts';
import { expectStatus, startUpload } from '../support/sample-content.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { createStore } from '../support/store-fixture.ts';
import { createDatabase } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MIB = 1024 * 1024;
const REPOSITORY = 'acme/app';
const PIECE_BYTES = 4 * MIB;
/** COMMIT_TEST_MIB=4096 asks for 4 GiB too. */
const SIZES_MIB = [64, ...(process.env['COMMIT_TEST_MIB'] ?? '').split(',').filter(Boolean)];
const TIMEOUT_MS = 1_800_000;

let postgres: TestPostgres;
let workspace: Workspace;
let proxy: S3Proxy;
let url: string;
let api: HttpClient;

beforeAll(async () => {
  postgres = await startPostgres();
});
beforeEach(async () => {
  workspace = await createWorkspace();
  const store = await createStore(workspace, 'S3', {
    through: async (endpoint) => {
      proxy = await startS3Proxy(endpoint);
      workspace.defer(() => proxy.close());
      return proxy.endpoint;
    },
  });
  const DATABASE_URL = await createDatabase(postgres.url);
  const server = await startServerIn(workspace, { ...store.environment, DATABASE_URL });
  url = server.url;
  api = new HttpClient(url);
});
afterEach(() => workspace.dispose());
afterAll(() => postgres?.stop());

/** The pieces of a blob, each another one, without the memory that all would need. */
function* piecesOf(sizeBytes: number): Generator<Buffer> {
  const piece = randomBytes(PIECE_BYTES);
  for (let from = 0; from < sizeBytes; from += PIECE_BYTES) {
    piece.writeUIntBE(from, 0, 6);
    yield Buffer.from(piece);
  }
}

/** A PATCH for all: what docker does. @returns the digest */
async function pushStream(path: string, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256');
  const patch = api.open('PATCH', path, { 'Transfer-Encoding': 'chunked' });
  for (const piece of piecesOf(sizeBytes)) {
    hash.update(piece);
    await patch.write(piece);
  }
  patch.end();
  await expectStatus(patch.answer, 202);
  return `sha256:${hash.digest('hex')}`;
}

/** A PATCH with Content-Range for each piece. @returns the digest */
async function pushChunks(path: string, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256');
  let from = 0;
  for (const piece of piecesOf(sizeBytes)) {
    hash.update(piece);
    const headers = { 'Content-Range': `${from}-${from + piece.length - 1}` };
    await expectStatus(api.send('PATCH', path, { headers, body: piece }), 202);
    from += piece.length;
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Reads it through the proxy, so that what that sees is proven as well. */
async function expectWhole(digest: string): Promise<void> {
  const before = proxy.requests.length;
  const response = await fetch(`${url}/v2/${REPOSITORY}/blobs/${digest}`);
  const hash = createHash('sha256');
  for await (const bytes of response.body ?? []) hash.update(bytes);
  expect(`sha256:${hash.digest('hex')}`).toBe(digest);
  expect(proxy.requests.length).toBeGreaterThan(before);
}

const PUSHES = [
  { name: 'in one stream', push: pushStream },
  { name: 'in chunks', push: pushChunks },
];
const CASES = SIZES_MIB.flatMap((mib) => PUSHES.map((way) => ({ ...way, mib: Number(mib) })));

test.each(CASES)(
  'the closing PUT of $mib MiB that came $name asks nothing of S3',
  async ({ push, mib }) => {
    const path = await startUpload(api, REPOSITORY);
    const digest = await push(path, mib * MIB);
    await waitUntil('the end of all requests to S3', () => proxy.inFlight() === 0);
    const sentBytes = proxy.requests.reduce((sum, { upBytes }) => sum + upBytes, 0);
    expect(sentBytes).toBeGreaterThanOrEqual(mib * MIB);
    proxy.clear();

    const answer = await api.send('PUT', `${path}?digest=${digest}`);

    const seen = proxy.requests.map(({ operation }) => operation);
    expect(answer.status).toBe(201);
    expect(seen).toEqual([]);
    await expectWhole(digest);
  },
  TIMEOUT_MS,
);

test('the closing PUT is answered by 201 while S3 is gone', async () => {
  const path = await startUpload(api, REPOSITORY);
  const digest = await pushStream(path, 64 * MIB);
  await proxy.vanish();

  await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);

  await proxy.comeBack();
  await expectWhole(digest);
});
