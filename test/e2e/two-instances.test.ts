import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { copyImage, createSkopeoClient } from '../support/clients/skopeo.ts';
import { HttpClient } from '../support/http-client.ts';
import { useInstancePair } from '../support/instance-pair.ts';
import { blobPath, type LayoutImage, makeImage, sha256 } from '../support/oci-layout.ts';
import { getBlob, getManifest, Upload } from '../support/registry-api.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
} from '../support/sample-content.ts';
import type { ServerProcess } from '../support/server.ts';
import { STORE_KINDS } from '../support/store-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const REPOSITORY = 'acme/app';
const CHUNK_BYTES = 3 * MIB;
const CHUNKS = 10;
const RACES = 20;

/** Above the size of two parts of S3, so that some are in the bucket when the body breaks off. */
const LAYER_BYTES = 64 * MIB;
const FIRST_CHUNK_BYTES = 10 * MIB;
const SENT_BYTES = 40 * MIB;

function pathOf(upload: Upload): string {
  return upload.location.pathname + upload.location.search;
}

function contentRange(first: number, bytes: Buffer): Record<string, string> {
  return {
    'Content-Range': `${first}-${first + bytes.length - 1}`,
    'Content-Length': String(bytes.length),
  };
}

async function expectBlobAtEach(servers: readonly ServerProcess[], bytes: Buffer): Promise<void> {
  for (const { url } of servers) {
    expect((await getBlob(url, REPOSITORY, sha256(bytes))).equals(bytes), url).toBe(true);
  }
}

async function isAppending(server: ServerProcess): Promise<boolean> {
  return (await server.metric('pierone_active_appends')) === 1;
}

describe.each(STORE_KINDS)('two instances over %s', (kind) => {
  const pair = useInstancePair(kind);

  test('ten chunks, in turn to A and B, are verified without being read again', async () => {
    const { a, b } = pair;
    const bytes = randomBytes(CHUNKS * CHUNK_BYTES);
    const upload = await Upload.start(a.url, REPOSITORY);
    for (let n = 0; n < CHUNKS; n += 1) {
      upload.moveTo(n % 2 === 0 ? a.url : b.url);
      const end = (n + 1) * CHUNK_BYTES;
      const answer = await upload.patchChunk(
        bytes.subarray(n * CHUNK_BYTES, end),
        end - CHUNK_BYTES,
      );
      expect(answer).toMatchObject({ status: 202, range: `0-${end - 1}` });
    }
    upload.moveTo(a.url);

    expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });

    expect(await pair.metrics('pierone_reread_bytes_total')).toEqual([0, 0]);
    expect(await pair.metrics('pierone_uploaded_bytes_total')).toEqual([
      (CHUNKS / 2) * CHUNK_BYTES,
      (CHUNKS / 2) * CHUNK_BYTES,
    ]);
    await expectBlobAtEach([a, b], bytes);
  });

  test.each([
    ['a chunk', (bytes: Buffer) => contentRange(0, bytes)],
    ['a stream', () => ({ 'Transfer-Encoding': 'chunked' })],
  ])(
    '%s for an upload to which the other instance is appending is refused at once',
    async (_, headers) => {
      const { a, b } = pair;
      const bytes = randomBytes(4 * MIB);
      const upload = await Upload.start(a.url, REPOSITORY);
      const first = new HttpClient(a.url).open('PATCH', pathOf(upload), contentRange(0, bytes));
      await first.write(bytes.subarray(0, MIB));
      await waitUntil('the append to begin', () => isAppending(a));

      // The first append can't end before this is answered: it waits for its bytes.
      const other = randomBytes(bytes.length);
      const second = new HttpClient(b.url).open('PATCH', pathOf(upload), headers(other));
      await second.write(other).catch(() => undefined);
      second.end();

      expect([409, 416]).toContain((await second.answer).status);
      first.end(bytes.subarray(MIB));
      expect((await first.answer).status).toBe(202);
      expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
      await expectBlobAtEach([a, b], bytes);
    },
  );

  test('of two appends at the same moment one is stored, and nothing of the other', async () => {
    const { a, b } = pair;
    for (let race = 0; race < RACES; race += 1) {
      const bodies = [randomBytes(MIB), randomBytes(MIB)];
      const upload = await Upload.start(a.url, REPOSITORY);
      const answers = await Promise.all(
        bodies.map((body, n) =>
          new HttpClient(n === 0 ? a.url : b.url).send('PATCH', pathOf(upload), {
            headers: { 'Content-Range': `0-${body.length - 1}` },
            body,
          }),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      expect(
        statuses.filter((status) => status === 202),
        statuses.join(' '),
      ).toHaveLength(1);
      expect([409, 416]).toContain(Math.max(...statuses));
      const winner = bodies[statuses.indexOf(202)] ?? Buffer.alloc(0);
      upload.moveTo(b.url);
      expect(await upload.finish(sha256(winner))).toMatchObject({ status: 201 });
      await expectBlobAtEach([a, b], winner);
    }
  });

  test('A is killed in mid-append: the client goes on at B, and the image is whole', async () => {
    const { a, b, balancer, workspace } = pair;
    const image = await makeImage(workspace.path('image'), { layers: 1, layerBytes: LAYER_BYTES });
    const [digest = ''] = image.diffIds;
    const bytes = await readFile(blobPath(image.directory, digest));
    balancer.pin(0);
    const upload = await Upload.start(balancer.url, REPOSITORY);
    await upload.patchChunk(bytes.subarray(0, FIRST_CHUNK_BYTES), 0);
    const rest = bytes.subarray(FIRST_CHUNK_BYTES);
    const append = new HttpClient(balancer.url).open(
      'PATCH',
      pathOf(upload),
      contentRange(FIRST_CHUNK_BYTES, rest),
    );
    await append.write(rest.subarray(0, SENT_BYTES));
    await waitUntil('the append to begin', () => isAppending(a));

    await a.kill();
    balancer.drop(0);
    balancer.pin(undefined);

    await expect(append.answer).rejects.toThrow();
    const durable = `0-${FIRST_CHUNK_BYTES - 1}`;
    expect(await upload.status()).toMatchObject({ status: 204, range: durable });
    // PostgreSQL has to notice that A is gone, and with it A's lock.
    await waitUntil('the next append', async () => {
      const { status } = await upload.patchChunk(rest, FIRST_CHUNK_BYTES);
      if (status !== 409) expect(status).toBe(202);
      return status === 202;
    });
    expect(await upload.finish(digest)).toMatchObject({ status: 201 });
    expect(await b.metric('pierone_reread_bytes_total')).toBe(0);
    await copyImage(image.source, `docker://${balancer.host}/${REPOSITORY}:1.0`);
    // The layer was there: skopeo has pushed nothing but the configuration.
    const uploadedBytes = await b.metric('pierone_uploaded_bytes_total');
    expect(uploadedBytes - rest.length).toBeLessThan(10_000);
    await expectPulled(image, balancer.host);
  });

  async function expectPulled(image: LayoutImage, host: string): Promise<void> {
    const skopeo = await createSkopeoClient(pair.workspace);
    const pulled = await skopeo.pull(`${host}/${REPOSITORY}:1.0`);
    const { manifestDigest, configDigest, diffIds } = image;
    expect(pulled).toEqual({ manifestDigest, configDigest, diffIds });
  }

  test('a closing PUT that is repeated at the other instance is 201 again', async () => {
    const { a, b } = pair;
    const bytes = randomBytes(MIB);
    const upload = await Upload.start(a.url, REPOSITORY);
    await upload.patchStream(bytes);
    expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });

    upload.moveTo(b.url);
    expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });

    await expectBlobAtEach([a, b], bytes);
  });

  test('an image whose tag A acknowledged is pulled at B at once', async () => {
    const { a, b } = pair;
    for (let round = 0; round < RACES; round += 1) {
      const [to, from] = round % 2 === 0 ? [a, b] : [b, a];
      const api = new HttpClient(to.url);
      const [config, layer] = [randomSample(1000), randomSample(100_000)];
      const manifest = imageOf(config, [layer]);
      for (const blob of [config, layer]) await pushBlob(api, REPOSITORY, blob);
      // Asked before, so that the other instance had a chance to remember that it isn't there.
      await expect(getManifest(from.url, REPOSITORY, `1.${round}`)).rejects.toThrow('404');
      await expectStatus(putManifest(api, REPOSITORY, `1.${round}`, manifest), 201);

      for (const reference of [`1.${round}`, 'latest']) {
        const served = await getManifest(from.url, REPOSITORY, reference);
        expect(served.digest).toBe(manifest.digest);
      }
      for (const { bytes, digest } of [config, layer]) {
        expect((await getBlob(from.url, REPOSITORY, digest)).equals(bytes)).toBe(true);
      }
    }
  });

  test('an immutable tag pushed with two digests at the same moment: one wins', async () => {
    const apis = [pair.a, pair.b].map(({ url }) => new HttpClient(url));
    const config = randomSample(1000);
    for (const api of apis) await pushBlob(api, REPOSITORY, config);
    for (let race = 0; race < RACES; race += 1) {
      const manifests = ['A', 'B'].map((note) => imageOf(config, [], `${note} ${race}`));
      const answers = await Promise.all(
        apis.map((api, n) =>
          putManifest(api, REPOSITORY, `1.${race}`, manifests[n] ?? imageOf(config)),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.toSorted((x, y) => x - y)).toEqual([201, 409]);
      const winner = manifests[statuses.indexOf(201)];
      for (const { url } of [pair.a, pair.b]) {
        const served = await getManifest(url, REPOSITORY, `1.${race}`);
        expect(served.digest).toBe(winner?.digest);
      }
    }
  });
});
