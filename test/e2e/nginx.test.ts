import { randomBytes } from 'node:crypto';
import { Agent } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDistantServer } from '../support/distant-server.ts';
import { errorCodeOf, HttpClient } from '../support/http-client.ts';
import {
  type Failures,
  REQUESTS_A_BURST,
  runBursts,
  type Totals,
} from '../support/kept-alive-traffic.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  randomSample,
  sampleOf,
  startUpload,
} from '../support/sample-content.ts';
import type { LogLine } from '../support/server.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MIB = 1024 * 1024;
const REPOSITORY = 'acme/app';
const CLIENTS_A_PAUSE = 8;
const LAYER_BYTES = 200 * MIB;

/** The registry ends idle connections somewhere here. */
const CRITICAL_SECONDS = Array.from({ length: 12 }, (_, n) => 10 + n / 4);
/** Each pause has a group of connections of its own, and they overlap. */
const FORMS = {
  short: { seconds: 31, pauses: [5, ...CRITICAL_SECONDS, 13] },
  full: {
    seconds: 240,
    pauses: [5, 6, 7, 8, 9, 9.5, ...CRITICAL_SECONDS, 13, 14, 15, 17, 20, 25, 30, 40, 50, 59],
  },
};
const FORM = process.env['NGINX_TEST'] === 'full' ? FORMS.full : FORMS.short;
/**
 * On the way from nginx to the registry, and back. Next to each other nginx knows at once that a connection was ended,
 * and hardly any request crosses that.
 */
const DELAY_MS = 300;
const BURST_SECONDS = (REQUESTS_A_BURST * 2 * DELAY_MS) / 1000;

/** Two ways for the registry to know that a proxy is in front of it. */
const VARIANTS = [
  { name: 'forwarding headers', hasForwardedHeaders: true, trusted: '' },
  { name: 'its address alone', hasForwardedHeaders: false, trusted: '127.0.0.1' },
];

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(() => workspace.dispose());

interface Wish {
  readonly sites?: number;
  readonly hasForwardedHeaders?: boolean;
  readonly trusted?: string;
  readonly delayMs?: number;
}

/** A server with nginx in front of it, next to it or so far away. */
async function start({ trusted = '', delayMs = 0, ...wish }: Wish = {}) {
  const server = await startServerIn(workspace, {
    HTTP_TRUSTED_PROXIES: trusted,
    SYSTEM_LOG_LEVEL: 'debug',
  });
  const distant = await startDistantServer(workspace, server.host, delayMs);
  const registry = delayMs > 0 ? distant.host : server.host;
  const nginx = await startNginx(workspace, { registry, ...wish });
  return { server, distant, nginx };
}

/** Keeps one connection to nginx, from another address than nginx's own. */
function openAgent({ certificate }: Nginx): Agent {
  const localAddress = '127.0.0.2';
  return new Agent({ ca: certificate, keepAlive: true, maxSockets: 1, localAddress });
}

function openClient(nginx: Nginx): HttpClient {
  const agent = openAgent(nginx);
  workspace.defer(async () => agent.destroy());
  return new HttpClient(nginx.urls[0] ?? '', agent);
}

test.each(VARIANTS)(
  'no pause between requests makes nginx answer 502: it is known by $name',
  async (variant) => {
    const { server, distant, nginx } = await start({
      ...variant,
      sites: FORM.pauses.length,
      delayMs: DELAY_MS,
    });
    const direct = new HttpClient(server.url);
    const config = randomSample(1000);
    const manifest = imageOf(config);
    await pushBlob(direct, REPOSITORY, config);
    await expectStatus(putManifest(direct, REPOSITORY, '1.0', manifest), 201);
    const totals: Totals = new Map();
    const failures: Failures = [];

    await Promise.all(
      FORM.pauses.map((pause, n) => {
        const plan = {
          url: nginx.urls[n] ?? '',
          repository: REPOSITORY,
          manifest,
          tag: '1.0',
          clients: CLIENTS_A_PAUSE,
          bursts: 1 + Math.floor(FORM.seconds / (pause + BURST_SECONDS)),
          pauseMs: pause * 1000,
        };
        return runBursts(plan, () => openAgent(nginx), totals, failures);
      }),
    );

    const total = [...totals.values()].reduce((sum, count) => sum + count, 0);
    console.log(
      `${variant.name}: ${total} requests over ${distant.connections()} connections to the registry, ${[...totals].map(([key, n]) => `${key}: ${n}`).join(', ')}`,
    );
    expect(failures).toEqual([]);
    expect([...totals.keys()].toSorted()).toEqual([
      'GET 200',
      'HEAD 200',
      'PATCH 202',
      'POST 202',
      'PUT 201',
    ]);
  },
);

test('a large layer goes through byte for byte, and ranges of it', async () => {
  const { nginx } = await start();
  const api = openClient(nginx);
  const layer = sampleOf(randomBytes(LAYER_BYTES));
  const location = await startUpload(api, REPOSITORY);
  const patch = api.open('PATCH', location, { 'Transfer-Encoding': 'chunked' });
  for (let from = 0; from < LAYER_BYTES; from += MIB) {
    await patch.write(layer.bytes.subarray(from, from + MIB));
  }
  patch.end();
  await expectStatus(patch.answer, 202);
  await expectStatus(api.send('PUT', `${location}?digest=${layer.digest}`), 201);

  const path = `/v2/${REPOSITORY}/blobs/${layer.digest}`;
  const whole = await api.send('GET', path);
  const range = await api.send('GET', path, { headers: { Range: 'bytes=1000000-3000000' } });

  expect(whole.status).toBe(200);
  expect(whole.body.equals(layer.bytes)).toBe(true);
  expect(range.status).toBe(206);
  expect(range.headers['content-range']).toBe(`bytes 1000000-3000000/${LAYER_BYTES}`);
  expect(range.body.equals(layer.bytes.subarray(1_000_000, 3_000_001))).toBe(true);
});

test('the Location of an answer leads through nginx again, without its name in it', async () => {
  const { nginx } = await start();
  const api = openClient(nginx);

  const started = await api.send('POST', `/v2/${REPOSITORY}/blobs/uploads/`);

  expect(started.status).toBe(202);
  expect(started.headers['location']).toMatch(/^\/v2\/acme\/app\/blobs\/uploads\/[^/]+$/);
  const status = await api.send('GET', started.headers['location'] ?? '');
  expect(status.status).toBe(204);
});

describe('the log of the registry', () => {
  /** The client in the line of a manifest that isn't there. */
  async function clientInLog(trusted: string): Promise<{ client: unknown; url: string }> {
    const { server, nginx } = await start({ trusted });
    // What a client writes there itself is worth nothing.
    const headers = { 'X-Forwarded-For': '192.0.2.66', Forwarded: 'for=192.0.2.67' };
    const api = openClient(nginx);
    const answer = await api.send('GET', `/v2/${REPOSITORY}/manifests/missing`, { headers });
    expect([answer.status, errorCodeOf(answer)]).toEqual([404, 'MANIFEST_UNKNOWN']);
    const isIt = (line: LogLine) => line['code'] === 'MANIFEST_UNKNOWN';
    const line = await waitUntil('the line of the log', () => server.log.find(isIt));
    return { client: line['client'], url: nginx.urls[0] ?? '' };
  }

  test('names the client when nginx is trusted', async () => {
    const { client, url } = await clientInLog('127.0.0.1');

    expect(client).toEqual({ address: '127.0.0.2', origin: url });
  });

  test('names nginx when it is not', async () => {
    const { client, url } = await clientInLog('192.0.2.0/24');

    expect(client).toEqual({ address: '127.0.0.1', origin: url.replace('https:', 'http:') });
  });
});
