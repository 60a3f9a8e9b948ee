import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessScene, APP, bearer, openAccessScene } from '../support/access-scene.ts';
import type { HttpClient } from '../support/http-client.ts';
import { startPostgresProxy } from '../support/postgres-proxy.ts';
import { openS3Scene, type S3Scene } from '../support/s3-scene.ts';
import { imageOf, pushBlob, randomSample, sampleOf } from '../support/sample-content.ts';
import type { TestRegistry } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;

let scene: AccessScene;
let registry: TestRegistry;
let token: string;
const lines: string[] = [];

beforeAll(async () => {
  scene = await openAccessScene();
  registry = await scene.start({}, { onLogLine: (line) => lines.push(line) });
  token = scene.provider.issueToken('alice');
  const config = sampleOf(Buffer.from('{}'));
  const headers = bearer(token);
  await registry.api.send('POST', `/v2/${APP}/blobs/uploads/?digest=${config.digest}`, {
    headers,
    body: config.bytes,
  });
  await registry.api.send('PUT', `/v2/${APP}/manifests/1.0`, {
    headers: { ...headers, 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
    body: imageOf(config).bytes,
  });
});

afterAll(() => scene?.close());

async function metricsOf(management: HttpClient): Promise<string> {
  return (await management.send('GET', '/metrics')).body.toString();
}

async function readyOf(management: HttpClient) {
  const { status, body } = await management.send('GET', '/health/ready');
  const report: unknown = JSON.parse(body.toString());
  return { status, report };
}

/** Asks with alice's token, and gives the line of the log. */
async function ask(method: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  const id = `test-${Math.random()}`;
  const answer = await registry.api.send(method, path, {
    headers: { ...bearer(token), 'X-Request-Id': id, ...headers },
  });
  const text = await waitUntil('the line of the request', () =>
    lines.find((line) => line.includes(id) && line.includes('"msg":"request"')),
  );
  const line: unknown = JSON.parse(text);
  return { answer, line, id };
}

/** The lint of Prometheus itself; nothing is wrong when it says nothing. */
async function lint(metrics: string): Promise<string> {
  const child = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      said += data.toString();
    });
  }
  child.stdin.end(metrics);
  const [code] = await once(child, 'close');
  return code === 0 ? said : `${said}\ncode ${String(code)}`;
}

describe('metrics', () => {
  test('pass promtool check metrics', async () => {
    await ask('GET', `/v2/${APP}/manifests/1.0`);
    expect(await lint(await metricsOf(registry.management))).toBe('');
  });

  test('tell requests by route, method and status, and never by path', async () => {
    await ask('GET', `/v2/${APP}/manifests/none-such`);
    await ask('BREW', '/v2/coffee');
    const text = await metricsOf(registry.management);
    const count = 'pierone_http_request_duration_seconds_count';
    expect(text).toContain(`${count}{route="manifest",method="GET",status="404"}`);
    expect(text).toContain(`${count}{route="none",method="other",status="404"}`);
    expect(text).toMatch(/^pierone_errors_total\{code="MANIFEST_UNKNOWN"\} [1-9]/m);
    expect(text).toMatch(/^pierone_http_received_bytes_total\{route="manifest"\} [1-9]/m);
    expect(text).toMatch(/^pierone_http_sent_bytes_total\{route="manifest"\} [1-9]/m);
    expect(text).toMatch(/^pierone_http_exchanges_open 0$/m);
    expect(text).not.toContain('none-such');
  });

  test('tell what threads, database and access control did', async () => {
    const text = await waitUntil('the report of a thread', async () => {
      const now = await metricsOf(registry.management);
      return /^pierone_digested_bytes_total\{engine="openssl"\} 2$/m.test(now) && now;
    });
    for (const line of [
      /^pierone_ingest_threads 2$/m,
      /^pierone_ingest_memory_bytes 0$/m,
      /^pierone_ingest_thread_busy_seconds_total \d/m,
      /^pierone_database_query_duration_seconds_count\{statement="[a-z-]+"\} [1-9]/m,
      /^pierone_database_connections_limit 10$/m,
      /^pierone_token_checks_total\{source="provider",outcome="valid"\} 1$/m,
      /^pierone_token_checks_total\{source="cache",outcome="valid"\} [1-9]/m,
      /^pierone_team_lookups_total\{source="remote",outcome="found"\} 1$/m,
      /^pierone_dependency_request_duration_seconds_count\{dependency="HTTP_TOKENINFO_URL",outcome="ok"\} 1$/m,
      /^pierone_build_info\{version="\d[^"]*",node_version="v\d[^"]*"\} 1$/m,
    ]) {
      expect(text).toMatch(line);
    }
  });

  test.each(['grafana-dashboard.json', 'prometheus-rules.yaml'])(
    'that deploy/%s asks for exist',
    async (name) => {
      const text = await metricsOf(registry.management);
      const names = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, metric = '', type]) =>
        type === 'histogram'
          ? ['_bucket', '_count', '_sum'].map((end) => `${metric}${end}`)
          : [metric],
      );
      const known = new Set(names);
      const file = await readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');
      const expressions = name.endsWith('.json')
        ? [...file.matchAll(/"(?:expr|query)": "((?:[^"\\]|\\.)*)"/g)].map(([, one = '']) => one)
        : [...file.matchAll(/^ +expr: (\|\n(?: {10,}.*\n)+|.*)/gm)].map(([, one = '']) => one);
      const used = expressions.flatMap((one) => one.match(/\b(pierone|process|nodejs)_\w+/g) ?? []);
      expect(used.length).toBeGreaterThan(5);
      expect([...new Set(used)].filter((metric) => !known.has(metric))).toEqual([]);
    },
  );
});

describe('the access log', () => {
  test('has who asked for what, and what it got', async () => {
    const { line, id } = await ask('GET', `/v2/${APP}/manifests/1.0?secret=hidden`, {
      'User-Agent': `"quoted" ${'x'.repeat(500)}`,
    });
    expect(line).toEqual({
      level: 'info',
      time: expect.any(String),
      requestId: id,
      method: 'GET',
      path: `/v2/${APP}/manifests/1.0`,
      route: 'manifest',
      status: 200,
      receivedBytes: 0,
      sentBytes: expect.any(Number),
      ms: expect.any(Number),
      client: '127.0.0.1',
      uid: 'alice',
      userAgent: expect.stringMatching(/^"quoted" x{191}$/),
      msg: 'request',
    });
  });

  test('has the code of an error', async () => {
    const { line } = await ask('GET', `/v2/${APP}/manifests/none`);
    expect(line).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' });
  });

  test('says when the client left before the answer, or before its end', async () => {
    const path = `/v2/${APP}/blobs/uploads/`;
    const upload = registry.api.open('POST', `${path}?digest=sha256:${'0'.repeat(64)}`, {
      ...bearer(token),
      'Content-Length': '5',
      'X-Request-Id': 'hangs-up',
    });
    const refused = upload.answer.catch(() => undefined);
    await upload.connected;
    await upload.write(Buffer.from('ab'));
    await waitUntil(
      'the request',
      async () => (await registry.metric('pierone_active_appends')) > 0,
    );
    upload.cut();
    await refused;
    const text = await waitUntil('the line', () => lines.find((line) => line.includes('hangs-up')));
    expect(JSON.parse(text)).toMatchObject({ route: 'uploads', receivedBytes: 2, isCut: true });
    expect(await metricsOf(registry.management)).toContain('method="POST",status="gone"');
  });

  test('never has a query or a token', () => {
    expect(lines.join('')).not.toContain('hidden');
    expect(lines.join('')).not.toContain(token);
  });

  test('is off with HTTP_ACCESS_LOG=false', async () => {
    const quiet: string[] = [];
    const other = await scene.start(
      { HTTP_ACCESS_LOG: 'false' },
      { onLogLine: (line) => quiet.push(line) },
    );
    await other.api.send('GET', '/v2/');
    expect(quiet.filter((line) => line.includes('"msg":"request"'))).toEqual([]);
  });
});

test('a client gets its request id back, with an error too', async () => {
  const good = await ask('GET', `/v2/${APP}/manifests/1.0`);
  expect(good.answer.headers['x-request-id']).toBe(good.id);
  const bad = await ask('GET', `/v2/${APP}/manifests/none`);
  expect(bad.answer.headers['x-request-id']).toBe(bad.id);
});

test('an id that would need quoting in the log is not taken from the client', async () => {
  const path = `/v2/${APP}/manifests/quoted`;
  await registry.api.send('GET', path, { headers: { ...bearer(token), 'X-Request-Id': 'a"b\\c' } });
  const text = await waitUntil('the line of the request', () =>
    lines.find((line) => line.includes(path) && line.includes('"msg":"request"')),
  );
  expect(JSON.parse(text)).toMatchObject({ requestId: expect.stringMatching(/^[0-9a-f]{8}-\d+$/) });
});

test('a trace goes on in the log and at the identity provider', async () => {
  const other = scene.provider.issueToken('eve');
  const { line } = await ask('GET', '/v2/', { ...bearer(other), traceparent: TRACEPARENT });
  expect(line).toMatchObject({ trace_id: TRACE_ID, span_id: 'b7ad6b7169203331' });
  const asked = scene.provider.requests('tokeninfo').at(-1);
  expect(asked?.headers['traceparent']).toBe(TRACEPARENT);
});

test('an invalid trace is ignored', async () => {
  const { line, answer } = await ask('GET', '/v2/', { traceparent: `00-${'0'.repeat(32)}-x-01` });
  expect(answer.status).toBe(200);
  expect(line).not.toHaveProperty('trace_id');
});

describe('health', () => {
  test('names each dependency while all are there; the identity provider’s last answer counts', async () => {
    await registry.api.send('GET', '/v2/', { headers: bearer(token) });
    const ok = { status: 'ok', since: expect.any(String) };
    expect(await readyOf(registry.management)).toEqual({
      status: 200,
      report: {
        status: 'ok',
        dependencies: {
          database: ok,
          store: ok,
          ingest: ok,
          HTTP_TOKENINFO_URL: ok,
          HTTP_TEAM_SERVICE_URL: expect.anything(),
          HTTP_KIO_URL: expect.anything(),
          HTTP_IIDINFO_URL: { status: 'unknown' },
        },
      },
    });
  });

  test('says 503 and which one is down; live stays 200', async () => {
    const proxy = await startPostgresProxy(scene.database.url);
    const other = await scene.startWith({ DATABASE_URL: proxy.url });
    expect((await readyOf(other.management)).status).toBe(200);
    await proxy.close();
    const down = await waitUntil('the database to be down', async () => {
      const { status, report } = await readyOf(other.management);
      return status === 503 && report;
    });
    expect(down).toMatchObject({
      status: 'down',
      dependencies: {
        database: { status: 'down', reason: expect.any(String) },
        store: { status: 'ok' },
        ingest: { status: 'ok' },
      },
    });
    expect((await other.management.send('GET', '/health/live')).status).toBe(200);
  });

  test('says 503 while requests run to their end', async () => {
    const other = await scene.start();
    const path = `/v2/${APP}/blobs/uploads/`;
    const upload = other.api.open('POST', path, { ...bearer(token), 'Content-Length': '5' });
    const refused = upload.answer.catch(() => undefined);
    await upload.connected;
    await upload.write(Buffer.from('ab'));
    await waitUntil(
      'the request',
      async () => (await other.metric('pierone_http_exchanges_open')) > 0,
    );
    const closing = other.close();
    expect(await readyOf(other.management)).toMatchObject({
      status: 503,
      report: { status: 'draining' },
    });
    upload.cut();
    await Promise.all([closing, refused]);
  });
});

describe('with S3', () => {
  let s3: S3Scene;
  beforeAll(async () => {
    s3 = await openS3Scene(scene.database.url);
  });
  afterAll(() => s3?.close());

  test('requests to it are told by operation, those of threads too', async () => {
    const { api, management } = await s3.start();
    const blob = randomSample(6 * 1024 * 1024);
    await pushBlob(api, APP, blob);
    await api.send('GET', `/v2/${APP}/blobs/${blob.digest}`, {
      headers: { traceparent: TRACEPARENT },
    });
    const text = await waitUntil('the report of a thread', async () => {
      const now = await metricsOf(management);
      return /operation="PutObject",outcome="ok"/.test(now) && now;
    });
    expect(text).toMatch(
      /^pierone_s3_request_duration_seconds_count\{operation="GetObject",outcome="ok"\} [1-9]/m,
    );
    expect(await lint(text)).toBe('');
    expect((await readyOf(management)).status).toBe(200);
  });
});
