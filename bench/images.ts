import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { HttpClient } from '../test/support/http-client.ts';
import {
  expectStatus,
  imageOf,
  putManifest,
  randomSample,
} from '../test/support/sample-content.ts';
import type { Figure } from './figure.ts';
import { cpuSeconds } from './process-usage.ts';
import type { Subject } from './scene.ts';
import { pushSmallBlob, REQUESTS_PER_BLOB } from './small-blob.ts';

const CLIENTS = 8;
const IMAGES_EACH = 25;
const BLOB_BYTES = 2_000;
const REQUESTS_PER_IMAGE = 2 * REQUESTS_PER_BLOB + 1;

/** Eight clients at once push images of a config, a layer and a manifest, each with a new tag. */
export async function measureImages({ registry: { url, pid } }: Subject): Promise<Figure> {
  const run = randomBytes(4).toString('hex');
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => pushAll(url, run, client)));
  const seconds = (performance.now() - start) / 1000;
  const images = CLIENTS * IMAGES_EACH;
  const requests = images * REQUESTS_PER_IMAGE;
  return {
    value: images / seconds,
    cpuSeconds: ((cpuSeconds(pid) - cpuBefore) / requests) * 1000,
  };
}

async function pushAll(url: string, run: string, client: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const api = new HttpClient(url, agent);
  const repository = `bench/images-${client}`;
  try {
    for (let number = 0; number < IMAGES_EACH; number += 1) {
      const [config, layer] = [randomSample(BLOB_BYTES), randomSample(BLOB_BYTES)];
      for (const blob of [config, layer]) await pushSmallBlob(api, repository, blob);
      await expectStatus(
        putManifest(api, repository, `${run}-${number}`, imageOf(config, [layer])),
        201,
      );
    }
  } finally {
    agent.destroy();
  }
}
