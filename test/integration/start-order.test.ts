import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findFreePorts } from '../support/free-ports.ts';
import { HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import { pushBlob, randomSample } from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { createBucket, credentialsFor, sharedRgw } from '../support/shared-rgw.ts';
import { waitUntil } from '../support/wait-until.ts';

/* What the registry needs may come after it. A wait that is wrong would last until the test's time-out. */

const PATIENT = { START_TIMEOUT: '3600' };
const NOWHERE = { DATABASE_URL: 'postgresql://postgres@127.0.0.1:1/pierone' };
const WAITS = 'the start waits for what is not there yet (START_TIMEOUT)';
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const fixture = useServers();

/** Starts a server that can't be ready yet, and waits until it says why. */
async function startTooEarly(environment: Readonly<Record<string, string>>, dependency: string) {
  const [port = 0] = await findFreePorts(1);
  const started = fixture.start({ ...PATIENT, MGMT_HTTP_PORT: String(port), ...environment });
  started.catch(() => undefined);
  const management = new HttpClient(`http://127.0.0.1:${port}`);
  const reason = await waitUntil('a reason', async () => {
    const answer = await management.send('GET', '/health/ready').catch(() => undefined);
    if (!answer) return undefined;
    expect(answer.status).toBe(503);
    const report = JsonValue.parse(answer.body.toString());
    expect(report.at('status').text).toBe('starting');
    const told = report.at('dependencies', dependency, 'reason').text;
    return told === 'not opened yet' ? undefined : told;
  });
  expect((await management.send('GET', '/health/live')).status).toBe(200);
  return { started, management, reason };
}

async function expectService({ started, management }: Awaited<ReturnType<typeof startTooEarly>>) {
  const { server, api } = await started;
  expect((await management.send('GET', '/health/ready')).status).toBe(200);
  await pushBlob(api, 'start/order', randomSample(1000));
  return server;
}

/** An end before the registry listened: its exit code, and what it said. */
async function endOf(started: Promise<unknown>): Promise<string> {
  const error: unknown = await started.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(Error);
  return error instanceof Error ? error.message : '';
}

test('PostgreSQL may come later: until then it is alive, not ready, and says why', async () => {
  await fixture.postgres.shutDown();
  const early = await startTooEarly({}, 'database');
  await fixture.postgres.start();

  const server = await expectService(early);

  expect(early.reason).toMatch(/^PostgreSQL is unavailable: /);
  expect(server.log).toContainEqual(
    expect.objectContaining({
      msg: WAITS,
      dependency: 'database',
      reason: early.reason,
    }),
  );
});

test('a bucket may come later', async () => {
  const rgw = await sharedRgw();
  const name = `later-${randomSample(8).digest.slice(-12)}`;
  const s3 = { STORAGE_S3_BUCKET: name, STORAGE_S3_ENDPOINT: rgw.endpoint };
  const early = await startTooEarly({ ...credentialsFor(rgw), ...s3 }, 'store');
  expect(early.reason).toContain(`there is no bucket ${name}: create it`);

  const bucket = await createBucket(rgw, name);

  try {
    const server = await expectService(early);
    await server.stop();
  } finally {
    await bucket.dispose();
  }
});

test('SIGTERM ends the wait at once, with exit code 0', async () => {
  const environment = { ...PATIENT, ...NOWHERE, HTTP_PORT: '0', MGMT_HTTP_PORT: '0' };
  const server = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const messages: unknown[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    messages.push(JsonValue.parse(line).at('msg').text);
    if (messages.at(-1) === WAITS) server.kill('SIGTERM');
  }
  const [exitCode] = server.exitCode === null ? await once(server, 'exit') : [server.exitCode];
  expect({ exitCode, messages }).toEqual({
    exitCode: 0,
    messages: [WAITS, 'ended before it had started'],
  });
});

test('at the end of START_TIMEOUT it ends, and says what is missing', async () => {
  expect(await endOf(fixture.start({ ...NOWHERE, START_TIMEOUT: '1' }))).toMatch(
    /ended with code 1\n[^]*\npierone: PostgreSQL is unavailable: .*ECONNREFUSED.* \(still so after the 1 seconds of START_TIMEOUT\)$/,
  );
});

test('a database that does not exist is not waited for', async () => {
  const url = new URL(fixture.databaseUrl);
  url.pathname = '/there_is_none';
  expect(await endOf(fixture.start({ ...PATIENT, DATABASE_URL: url.href }))).toMatch(
    /ended with code 1\n[^]*\npierone: PostgreSQL is unavailable: database "there_is_none" does not exist$/,
  );
});

test('credentials that S3 refuses are not waited for', async () => {
  const rgw = await sharedRgw();
  const bucket = await createBucket(rgw);
  try {
    const s3 = { STORAGE_S3_BUCKET: bucket.name, STORAGE_S3_ENDPOINT: rgw.endpoint };
    const wrong = { ...credentialsFor(rgw), AWS_SECRET_ACCESS_KEY: 'wrong' };
    expect(await endOf(fixture.start({ ...PATIENT, ...wrong, ...s3 }))).toMatch(
      /ended with code 1\n[^]*correct AWS_SECRET_ACCESS_KEY/,
    );
  } finally {
    await bucket.dispose();
  }
});
