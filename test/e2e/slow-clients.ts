import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpClient } from '../support/http-client.ts';
import { type Latency, type OrdinaryTraffic, trafficUntil } from '../support/ordinary-client.ts';
import {
  expectStatus,
  pushBlob,
  randomSample,
  type Sample,
  startUpload,
} from '../support/sample-content.ts';
import type { ServerProcess } from '../support/server.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import type { SlowClientsPlan, TransferReport } from '../support/slow-clients/plan.ts';
import { runSlowClients } from '../support/slow-clients/run.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const SLOW_SECONDS = Number(process.env['SLOW_CLIENTS_SECONDS'] ?? '60');

const MIB = 1024 * 1024;
const REPOSITORY = 'acme/slow';
/** More than kernel buffers hold. */
const BLOB_BYTES = 32 * MIB;
const READ_BYTES_PER_SECOND = 10_000;
const SEND_BYTES_PER_SECOND = 4_000;
const MAX_PEAK_MIB = 300;

let workspace: Workspace;
let content: Sample;

/** A server that has the blob, and a plan without clients. */
async function start(transport: string, environment: Readonly<Record<string, string>> = {}) {
  const server = await startServerIn(workspace, { HTTP_TRANSPORT: transport, ...environment });
  const api = new HttpClient(server.url);
  await pushBlob(api, REPOSITORY, content);
  const contentFile = workspace.path('content');
  await writeFile(contentFile, content.bytes);
  const plan: SlowClientsPlan = {
    url: server.url,
    repository: REPOSITORY,
    contentFile,
    digest: content.digest,
    seconds: SLOW_SECONDS,
    readers: 0,
    readBytesPerSecond: READ_BYTES_PER_SECOND,
    uploaders: 0,
    sendBytesPerSecond: SEND_BYTES_PER_SECOND,
    headSenders: 0,
  };
  return { server, api, plan };
}

/** Largest resident set that the process ever had. */
async function peakMemoryMib({ pid }: ServerProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

function failuresOf(reports: readonly TransferReport[]): string[] {
  return reports.flatMap(({ failure }) => failure ?? []);
}

function sum(reports: readonly TransferReport[], key: 'slowBytes' | 'verifiedBytes'): number {
  return reports.reduce((total, report) => total + report[key], 0);
}

function describeTraffic({ images, latencies }: OrdinaryTraffic): string {
  const whileSlow = latencies.filter(({ atMs }) => atMs < SLOW_SECONDS * 1000);
  return [
    `${images} images pushed and pulled by the ordinary client`,
    `while the others were slow: ${describeLatencies(whileSlow)}`,
    `until they had caught up: ${describeLatencies(latencies.slice(whileSlow.length))}`,
  ].join('\n');
}

function describeLatencies(latencies: readonly Latency[]): string {
  const sorted = latencies.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (part: number) => (sorted.at(Math.floor((sorted.length - 1) * part)) ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, 99% ${at(0.99)} ms, longest ${at(1)} ms`;
}

/** The tests of one transport; each has a file of its own, so that they run at the same time. */
export function describeSlowClients(transport: 'uws' | 'node'): void {
  beforeEach(async () => {
    workspace = await createWorkspace();
    content = randomSample(BLOB_BYTES);
  });
  afterEach(() => workspace.dispose());

  test('hundreds of slow clients are served, in bounded memory, and hinder nobody', async () => {
    const { server, plan } = await start(transport);
    const resting = await peakMemoryMib(server);
    const crowd = runSlowClients({ ...plan, readers: 200, uploaders: 50, headSenders: 200 });

    const traffic = await trafficUntil(crowd, server.url, 'acme/ordinary');

    const { readers, uploaders, heads } = await crowd;
    const peak = await peakMemoryMib(server);
    console.log(
      `peak memory ${peak.toFixed(0)} MiB (before the crowd ${resting.toFixed(0)})\n` +
        `read slowly ${sum(readers, 'slowBytes')} bytes, verified ${sum(readers, 'verifiedBytes')}\n` +
        `sent slowly ${sum(uploaders, 'slowBytes')} bytes, verified ${sum(uploaders, 'verifiedBytes')}\n` +
        `${heads.length} heads that were never complete, cut after at most ${Math.max(...heads.map(({ seconds }) => seconds))} s\n` +
        describeTraffic(traffic),
    );
    expect(failuresOf(readers)).toEqual([]);
    expect(sum(readers, 'verifiedBytes')).toBe(200 * BLOB_BYTES);
    expect(failuresOf(uploaders)).toEqual([]);
    expect(uploaders).toHaveLength(50);
    expect(heads.length).toBeGreaterThanOrEqual(200);
    expect(heads.filter(({ wasCut }) => !wasCut)).toEqual([]);
    expect(heads.filter(({ answer = '' }) => answer.startsWith('HTTP/1.1 2'))).toEqual([]);
    expect(traffic.failures).toEqual([]);
    expect(traffic.images).toBeGreaterThan(0);
    expect(peak).toBeLessThan(MAX_PEAK_MIB);
  });

  test('who reads more slowly than it may is cut, and others are not', async () => {
    const { server, api, plan } = await start(transport, {
      HTTP_MIN_RATE: '1000000000',
      HTTP_IDLE_TIMEOUT: '2',
    });
    const slow = runSlowClients({ ...plan, readers: 5, seconds: 15 });

    const traffic = await trafficUntil(slow, server.url, 'acme/ordinary');
    const blob = await api.send('GET', `/v2/${REPOSITORY}/blobs/${content.digest}`);

    const { readers } = await slow;
    expect(readers).toHaveLength(5);
    for (const { failure, verifiedBytes } of readers) {
      // Before its time was over: at full speed it would have come to the end.
      expect(failure).toMatch(/^cut after \d+ bytes/);
      expect(verifiedBytes).toBeLessThan(BLOB_BYTES);
    }
    expect(traffic.failures).toEqual([]);
    expect(blob.body.equals(content.bytes)).toBe(true);
  });

  test('who sends more slowly than it may is cut, what it sent is kept, and others go on', async () => {
    const { api, plan } = await start(transport, { HTTP_MIN_RATE: '2000', HTTP_IDLE_TIMEOUT: '5' });
    const steady = runSlowClients({ ...plan, uploaders: 5, seconds: 20 });
    const layer = randomSample(MIB);
    const location = await startUpload(api, REPOSITORY);

    const sent = await sendUntilCut(api, location, layer.bytes, 200);

    const { headers } = await expectStatus(api.send('GET', location), 204);
    const kept = Number(headers['range']?.split('-')[1]) + 1;
    console.log(`cut after ${sent} bytes, of which ${kept} are kept`);
    expect(kept).toBeGreaterThanOrEqual(sent - 200);
    expect(kept).toBeLessThanOrEqual(sent);
    const rest = {
      headers: { 'Content-Range': `${kept}-${layer.bytes.length - 1}` },
      body: layer.bytes.subarray(kept),
    };
    await expectStatus(api.send('PATCH', location, rest), 202);
    await expectStatus(api.send('PUT', `${location}?digest=${layer.digest}`), 201);
    const blob = await api.send('GET', `/v2/${REPOSITORY}/blobs/${layer.digest}`);
    expect(blob.body.equals(layer.bytes)).toBe(true);
    expect(failuresOf((await steady).uploaders)).toEqual([]);
  });
}

/** A PATCH of so many bytes a second. @returns the bytes that were sent before the server cut it */
async function sendUntilCut(
  api: HttpClient,
  location: string,
  bytes: Buffer,
  bytesPerSecond: number,
): Promise<number> {
  const patch = api.open('PATCH', location, { 'Transfer-Encoding': 'chunked' });
  const cut = patch.answer.then(
    ({ status }) => `answered with ${status}`,
    () => 'cut',
  );
  for (let sent = 0; sent < bytes.length; ) {
    await patch.write(bytes.subarray(sent, sent + bytesPerSecond)).catch(() => undefined);
    sent += bytesPerSecond;
    const end = await Promise.race([cut, delay(1000)]);
    if (end === 'cut') return sent;
    if (end !== undefined) throw new Error(end);
  }
  throw new Error('it was not cut');
}
