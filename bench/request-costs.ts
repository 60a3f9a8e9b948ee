import { randomBytes } from 'node:crypto';
import { HttpClient } from '../test/support/http-client.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  putManifest,
  randomSample,
  type Sample,
} from '../test/support/sample-content.ts';
import { Connection } from './connection.ts';
import { cpuSeconds } from './process-usage.ts';
import type { Registry } from './registries.ts';
import { pushSmallBlob } from './small-blob.ts';
import { median } from './statistics.ts';

/** One request, with the number that makes it another one each time. */
export type NumberedRequest = (api: HttpClient, number: number) => Promise<void>;

const REPETITIONS = 200;
const REQUESTS = 4_000;
const PUSHES = 1_000;
const REPOSITORY = 'bench/clients';

/** @returns the median of many such requests, one after the other, each for something else. In ms. */
export async function costOf(
  url: string,
  request: NumberedRequest,
  count: number,
): Promise<number> {
  const api = new HttpClient(url);
  const times: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const number = 1 + Math.floor(Math.random() * count);
    const begin = performance.now();
    await request(api, number);
    times.push(performance.now() - begin);
  }
  return median(times);
}

/** @returns the server's CPU for a request of each kind by so many clients at once. In ms. */
export async function costsOfMany(
  registry: Registry,
  clients: number,
  runs: number,
): Promise<Readonly<Record<string, number>>> {
  const api = new HttpClient(registry.url);
  const config = randomSample(600);
  await pushSmallBlob(api, REPOSITORY, config);
  const image = imageOf(config);
  const tag = randomBytes(8).toString('hex');
  await expectStatus(putManifest(api, REPOSITORY, tag, image), 201);
  const gets: number[] = [];
  const pushes: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    gets.push(await costOfGets(registry, clients, tag));
    pushes.push(await costOfPushes(registry, clients, image));
  }
  console.log(`${clients} clients: ${median(gets).toFixed(3)} ms, ${median(pushes).toFixed(3)} ms`);
  return { 'GET manifest by tag': median(gets), 'PUT manifest, a new tag': median(pushes) };
}

function costOfGets({ url, pid }: Registry, clients: number, tag: string): Promise<number> {
  const headers = { Accept: OCI_MANIFEST };
  const path = `/v2/${REPOSITORY}/manifests/${tag}`;
  return costOfAll({ url, pid, clients, count: REQUESTS }, async (connection) => {
    const { status } = await connection.send({ method: 'GET', path, headers });
    if (status !== 200) throw new Error(`GET ${path} was answered with ${status}`);
  });
}

function costOfPushes({ url, pid }: Registry, clients: number, image: Sample): Promise<number> {
  const headers = { 'Content-Type': OCI_MANIFEST, 'Content-Length': String(image.bytes.length) };
  return costOfAll({ url, pid, clients, count: PUSHES }, async (connection) => {
    const path = `/v2/${REPOSITORY}/manifests/${randomBytes(8).toString('hex')}`;
    const request = { method: 'PUT', path, headers, body: [image.bytes] };
    const { status } = await connection.send(request);
    if (status !== 201) throw new Error(`PUT ${path} was answered with ${status}`);
  });
}

interface Load {
  readonly url: string;
  readonly pid: number;
  readonly clients: number;
  readonly count: number;
}

async function costOfAll(
  { url, pid, clients, count }: Load,
  ask: (connection: Connection) => Promise<void>,
): Promise<number> {
  const connections = Array.from({ length: clients }, () => new Connection(url));
  try {
    let left = count;
    const before = cpuSeconds(pid);
    await Promise.all(
      connections.map(async (connection) => {
        while (left > 0) {
          left -= 1;
          await ask(connection);
        }
      }),
    );
    return ((cpuSeconds(pid) - before) / count) * 1000;
  } finally {
    for (const connection of connections) connection.close();
  }
}
