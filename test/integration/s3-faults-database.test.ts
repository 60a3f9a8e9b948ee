import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { errorCodeOf, type HttpAnswer } from '../support/http-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { expectBlob, openS3FaultScene, type S3FaultScene } from '../support/s3-fault-scene.ts';
import { expectStatus, randomSample, startUpload } from '../support/sample-content.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const REPOSITORY = 'faults/database';

let postgres: TestPostgres;
let database: PostgresProxy | undefined;
let scene: S3FaultScene | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterEach(async () => {
  await scene?.close();
  await database?.close();
  scene = undefined;
  database = undefined;
});

afterAll(() => postgres?.stop());

/** The registry reaches PostgreSQL by a proxy that can lose its connections. */
async function open() {
  const databaseUrlOf = async (url: string) => {
    database = await startPostgresProxy(url);
    return database.url;
  };
  scene = await openS3FaultScene(postgres.url, { databaseUrlOf });
  return scene;
}

function expectUnavailable(answer: HttpAnswer): void {
  expect(answer.status).toBe(503);
  expect(errorCodeOf(answer)).toBe('UNAVAILABLE');
  expect(answer.headers['retry-after']).toMatch(/^\d+$/);
}

test.each([
  ['before', 503],
  ['after', 201],
] as const)(
  'the connection lost %s the COMMIT of a closing PUT: %i, and a repeated PUT is 201',
  async (moment, status) => {
    const opened = await open();
    const { api } = opened;
    const blob = randomSample(20 * MIB);
    const path = await startUpload(api, REPOSITORY);
    await expectStatus(api.send('PATCH', path, { body: blob.bytes }), 202);
    const cut = database?.cutNextCommit(moment);
    const answer = await api.send('PUT', `${path}?digest=${blob.digest}`);
    await cut;
    if (status === 503) expectUnavailable(answer);
    expect(answer.status).toBe(status);
    for (let repeated = 0; repeated < 2; repeated += 1) {
      await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
    }
    await expectBlob(api, REPOSITORY, blob);
    await opened.end();
  },
);

test('PostgreSQL killed while S3 takes parts: 503, no row without its bytes, and the upload goes on', async () => {
  const opened = await open();
  const { api, proxy } = opened;
  const blob = randomSample(24 * MIB);
  const path = await startUpload(api, REPOSITORY);
  const append = api.open('PATCH', path);
  await append.write(blob.bytes.subarray(0, 20 * MIB));
  await waitUntil('parts', () =>
    proxy.requests.some(({ operation }) => operation === 'UploadPart'),
  );
  await postgres.kill();
  append.end(blob.bytes.subarray(20 * MIB));
  expectUnavailable(await append.answer);
  await postgres.start();
  await waitUntil('the registry to recover', async () => {
    return (await api.send('GET', '/v2/_catalog')).status === 200;
  });
  const headers = { 'Content-Range': `0-${blob.bytes.length - 1}` };
  await expectStatus(api.send('PATCH', path, { headers, body: blob.bytes }), 202);
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
  await expectBlob(api, REPOSITORY, blob);
  await opened.end();
});
