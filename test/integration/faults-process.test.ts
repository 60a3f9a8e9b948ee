import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectRefusal } from '../support/api-table.ts';
import { HttpClient } from '../support/http-client.ts';
import { runUnprivileged, startLimitedServer } from '../support/limited-server.ts';
import { expectStatus, pushBlob, randomSample, startUpload } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { createDatabase, makeStorage } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

const fixture = useServers();

test('a full disk: 507, nothing is left of the append, and the server goes on', async () => {
  const environment = {
    DATABASE_URL: fixture.databaseUrl,
    STORAGE_DIRECTORY: fixture.storage.path,
  };
  const server = await startLimitedServer(4 * MIB, environment);
  try {
    const api = new HttpClient(server.url);
    const small = randomSample(MIB);
    await pushBlob(api, 'faults/full', small);
    const before = await fixture.storage.keys();
    const { bytes, digest } = randomSample(6 * MIB);
    const path = await startUpload(api, 'faults/full');
    for (const answer of [
      await api.send('POST', `/v2/faults/full/blobs/uploads/?digest=${digest}`, { body: bytes }),
      await api.send('PATCH', path, { body: bytes, isChunked: true }),
      await api.send('PUT', `${path}?digest=${digest}`, { body: bytes }),
    ]) {
      expectRefusal(answer, {
        status: 507,
        code: 'UNAVAILABLE',
        says: /^the registry has no room left for blobs: tell its operator$/,
      });
    }
    expect(await fixture.storage.keys()).toEqual(before);
    const status = await expectStatus(api.send('GET', path), 204);
    expect(status.headers['range']).toBe('0-0');
    // What fits is still stored, in the same upload and in others.
    await expectStatus(api.send('PATCH', path, { body: bytes.subarray(0, 3 * MIB) }), 202);
    await expectStatus(api.send('PATCH', path, { body: bytes.subarray(3 * MIB) }), 202);
    await expectStatus(api.send('PUT', `${path}?digest=${digest}`), 201);
    const { body } = await api.send('GET', `/v2/faults/full/blobs/${digest}`);
    expect(body.equals(bytes)).toBe(true);
  } finally {
    await server.stop();
  }
});

/** A start that must fail: by exit code 1, and with sentences for people. */
async function expectRefusalOfStart(environment: Record<string, string>, sentence: RegExp) {
  const error: unknown = await fixture.start(environment).catch((failure: unknown) => failure);
  const text = error instanceof Error ? error.message : 'it started';
  expect(text).toMatch(sentence);
  expect(text).toContain('ended with code 1');
  expect(text).not.toMatch(/^ +at /m);
}

test('a directory that cannot be made is refused with a sentence', async () => {
  const file = `${fixture.storage.path}-file`;
  await writeFile(file, '');
  await expectRefusalOfStart(
    { STORAGE_DIRECTORY: join(file, 'layers') },
    /^pierone: the storage directory failed: ENOTDIR/m,
  );
  await expectRefusalOfStart(
    { STORAGE_DIRECTORY: file },
    /^pierone: the storage directory failed: E/m,
  );
});

test('a directory that fails while the server runs: 503, the log says why, and it recovers', async () => {
  const { server, api } = await fixture.start();
  const { bytes, digest } = randomSample(1000);
  const path = `/v2/faults/store/blobs/uploads/?digest=${digest}`;
  const segments = join(fixture.storage.path, 'segments');
  await rm(segments, { recursive: true });
  await writeFile(segments, '');
  const answer = await api.send('POST', path, { body: bytes });
  expectRefusal(answer, {
    status: 503,
    code: 'UNAVAILABLE',
    says: /^the store of blobs is unavailable: try again$/,
  });
  expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  await waitUntil('the reason', () =>
    JSON.stringify(server.log).includes('the storage directory failed: ENOTDIR'),
  );
  await rm(segments);
  await expectStatus(api.send('POST', path, { body: bytes }), 201);
});

/** Where nobody can write, root included. */
const NOT_WRITABLE = '/sys/pierone';

test('a directory that is not writable is refused with a sentence', async () => {
  await expectRefusalOfStart(
    { STORAGE_DIRECTORY: NOT_WRITABLE },
    /^pierone: the storage directory failed: E\w+: .*; it must be writable for the user that the registry runs as$/m,
  );
});

test('the same with an embedded PostgreSQL', async () => {
  const { exitCode, stderr } = await runUnprivileged({ STORAGE_DIRECTORY: NOT_WRITABLE });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /^pierone: .* \(E\w+: .*'\/sys\/pierone'\)\. Correct that, or set STORAGE_DIRECTORY to another/,
  );
});

test('a socket of PostgreSQL that may not be reached is refused with a sentence', async () => {
  await mkdir(fixture.storage.path);
  await chmod(fixture.storage.path, 0);
  const host = encodeURIComponent(fixture.storage.path);
  const { exitCode, stderr } = await runUnprivileged({
    DATABASE_URL: `postgresql:///pierone?host=${host}&user=postgres`,
  });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^pierone: PostgreSQL is unavailable: connect EACCES \S+$/m);
});

test.each([
  ['HTTP_PORT', /can't listen on 127\.0\.0\.1 port \d+: it is in use, or not an address of this/],
  ['MGMT_HTTP_PORT', /can't listen on 127\.0\.0\.1 port \d+ \(MGMT_HTTP_HOST, MGMT_HTTP_PORT\)/],
])('a %s that is in use is refused with a sentence', async (setting, sentence) => {
  const { server } = await fixture.start();
  await expectRefusalOfStart({ [setting]: new URL(server.url).port }, sentence);
  expect((await new HttpClient(server.url).send('GET', '/v2/')).status).toBe(200);
});

test('a directory that is a link to nowhere is refused with a sentence', async () => {
  await symlink(`${fixture.storage.path}-nowhere/deep`, fixture.storage.path);
  await expectRefusalOfStart({}, /^pierone: .*storage directory/m);
});

test('an empty directory beside a database that names layers is refused: its volume is missing', async () => {
  const { server, api } = await fixture.start();
  await pushBlob(api, 'faults/volume', randomSample(1000));
  await server.stop();
  const empty = await makeStorage();
  await mkdir(empty.path);
  try {
    await expectRefusalOfStart(
      { STORAGE_DIRECTORY: empty.path },
      /^pierone: .*is its volume mounted/m,
    );
    expect(await empty.keys()).toEqual([]);
  } finally {
    await empty.remove();
  }
});

test('a store that belongs to another registry is refused, and stays untouched', async () => {
  const otherUrl = await createDatabase(fixture.postgres.url);
  const { server, api } = await fixture.start();
  const sentence =
    /^pierone: The directory .* belongs to the registry [0-9a-f-]{36}, but .*STORAGE_DIRECTORY and DATABASE_URL/m;
  await expectRefusalOfStart({ DATABASE_URL: otherUrl }, sentence);
  const blob = randomSample(1000);
  await pushBlob(api, 'faults/other', blob);
  const keys = await fixture.storage.keys();
  expect(keys).toHaveLength(1);
  await expectRefusalOfStart({ DATABASE_URL: otherUrl }, sentence);
  // Layers without an id are of an unknown registry.
  await rm(join(fixture.storage.path, 'registry-id'));
  await expectRefusalOfStart({}, /^pierone: .*(registry|storage directory)/m);
  expect(await fixture.storage.keys()).toEqual(keys);
  expect(await server.stop()).toBe(0);
});

test('a server that is killed in mid-append leaves the upload to others, at its committed bytes', async () => {
  const blob = randomSample(2 * MIB);
  const first = await fixture.start();
  const { api } = await fixture.start();
  const path = await startUpload(first.api, 'faults/killed');
  const half = { headers: { 'Content-Range': `0-${MIB - 1}` }, body: blob.bytes.subarray(0, MIB) };
  await expectStatus(first.api.send('PATCH', path, half), 202);
  const append = first.api.open('PATCH', path, { 'Content-Range': `${MIB}-${2 * MIB - 1}` });
  await append.write(blob.bytes.subarray(MIB, MIB + 1000));
  await waitUntil('the append to begin', async () => {
    return (await first.server.metric('pierone_active_appends')) === 1;
  });
  await first.server.kill();
  await expect(append.answer).rejects.toThrow();
  const status = await expectStatus(api.send('GET', path), 204);
  expect(status.headers['range']).toBe(`0-${MIB - 1}`);
  const headers = { 'Content-Range': `${MIB}-${2 * MIB - 1}` };
  // The lock of the dead server ends when PostgreSQL notices that its connection is gone.
  await waitUntil('the next append', async () => {
    const answer = await api.send('PATCH', path, { headers, body: blob.bytes.subarray(MIB) });
    if (answer.status !== 409) expect(answer.status).toBe(202);
    return answer.status === 202;
  });
  await expectStatus(api.send('PUT', `${path}?digest=${blob.digest}`), 201);
});
