import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyImage } from '../support/clients/skopeo.ts';
import { blobPath, makeImage, sha256 } from '../support/oci-layout.ts';
import { getBlob, getManifest, Upload } from '../support/registry-api.ts';
import type { ServerProcess } from '../support/server.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 3 * MIB;
const REPOSITORY = 'acme/app';

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(() => workspace.dispose());

/** With the embedded PostgreSQL, in the same directory each time. */
function start(): Promise<ServerProcess> {
  return startServerIn(workspace);
}

function split(bytes: Buffer, chunks: number): Buffer[] {
  const size = Math.ceil(bytes.length / chunks);
  return Array.from({ length: chunks }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
}

async function expectBlob(server: ServerProcess, bytes: Buffer): Promise<void> {
  const served = await getBlob(server.url, REPOSITORY, sha256(bytes));
  expect(served.equals(bytes)).toBe(true);
}

test('an upload in chunks goes on after the server was killed', async () => {
  const bytes = randomBytes(10 * CHUNK_BYTES);
  const chunks = split(bytes, 10);
  const killed = await start();
  const upload = await Upload.start(killed.url, REPOSITORY);
  for (const [n, chunk] of chunks.slice(0, 5).entries()) {
    const answer = await upload.patchChunk(chunk, n * CHUNK_BYTES);
    expect(answer).toMatchObject({ status: 202, range: `0-${(n + 1) * CHUNK_BYTES - 1}` });
  }
  await killed.kill();

  const server = await start();
  upload.moveTo(server.url);

  expect(await upload.status()).toMatchObject({ status: 204, range: `0-${5 * CHUNK_BYTES - 1}` });
  for (const [n, chunk] of chunks.slice(5).entries()) {
    const answer = await upload.patchChunk(chunk, (5 + n) * CHUNK_BYTES);
    expect(answer).toMatchObject({ status: 202, range: `0-${(6 + n) * CHUNK_BYTES - 1}` });
  }
  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
  await expectBlob(server, bytes);
  expect(await server.metric('pierone_reread_bytes_total')).toBe(0);
});

test('a closing PUT with a wrong digest is refused after a restart too', async () => {
  const bytes = randomBytes(CHUNK_BYTES);
  const killed = await start();
  const upload = await Upload.start(killed.url, REPOSITORY);
  await upload.patchChunk(bytes, 0);
  await killed.kill();
  const server = await start();
  upload.moveTo(server.url);

  const wrong = sha256(randomBytes(1));
  const answer = await upload.finish(wrong);

  expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('DIGEST_INVALID') });
  await expect(getBlob(server.url, REPOSITORY, wrong)).rejects.toThrow('404');
});

test('several streamed appends are read again once, to be verified', async () => {
  const bytes = randomBytes(5 * CHUNK_BYTES);
  const server = await start();
  const upload = await Upload.start(server.url, REPOSITORY);
  for (const [n, part] of split(bytes, 5).entries()) {
    const answer = await upload.patchStream(part);
    expect(answer).toMatchObject({ status: 202, range: `0-${(n + 1) * CHUNK_BYTES - 1}` });
  }

  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });

  await expectBlob(server, bytes);
  expect(await server.metric('pierone_reread_bytes_total')).toBe(bytes.length);
});

test('one streamed append is not read again', async () => {
  const bytes = randomBytes(CHUNK_BYTES);
  const server = await start();
  const upload = await Upload.start(server.url, REPOSITORY);
  await upload.patchStream(bytes);

  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });

  expect(await server.metric('pierone_reread_bytes_total')).toBe(0);
});

test.each([
  ['a chunk', { 'Content-Range': `0-${8 * MIB - 1}`, 'Content-Length': String(8 * MIB) }],
  ['a stream', { 'Transfer-Encoding': 'chunked' }],
])('what arrived of %s whose client went away is kept', async (_name, headers) => {
  const bytes = randomBytes(8 * MIB);
  const sent = 4 * MIB;
  const server = await start();
  const upload = await Upload.start(server.url, REPOSITORY);
  await upload.breakOff(bytes, sent, headers);

  const offset = await waitUntil('what arrived', async () => {
    const answer = await upload.status();
    expect(answer.status).toBe(204);
    return answer.range === '0-0' ? undefined : Number(answer.range?.slice(2)) + 1;
  });

  expect(offset).toBeGreaterThan(0);
  expect(offset).toBeLessThanOrEqual(sent);
  const rest = await upload.patchChunk(bytes.subarray(offset), offset);
  expect(rest).toMatchObject({ status: 202, range: `0-${bytes.length - 1}` });
  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
  await expectBlob(server, bytes);
});

test('a closing PUT that is repeated is answered as the first one, also by a new server', async () => {
  const bytes = randomBytes(MIB);
  const killed = await start();
  const upload = await Upload.start(killed.url, REPOSITORY);
  await upload.patchStream(bytes);
  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
  await killed.kill();

  const server = await start();
  upload.moveTo(server.url);

  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
  await expectBlob(server, bytes);
});

test.each(['stop', 'kill'] as const)('images survive a restart after %s', async (end) => {
  const image = await makeImage(workspace.path('image'), { layers: 3, layerBytes: MIB });
  const first = await start();
  await copyImage(image.source, `docker://${first.host}/${REPOSITORY}:1.0`);
  await first[end]();

  const server = await start();

  for (const reference of ['1.0', 'latest', image.manifestDigest]) {
    const manifest = await getManifest(server.url, REPOSITORY, reference);
    expect(manifest).toMatchObject({
      digest: image.manifestDigest,
      claimedDigest: image.manifestDigest,
    });
  }
  for (const digest of [image.configDigest, ...image.diffIds]) {
    await expectBlob(server, await readFile(blobPath(image.directory, digest)));
  }
});
