import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from './http-client.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  randomSample,
} from './sample-content.ts';

const LAYER_BYTES = 64 * 1024;
/** Between two images: the clients that are tested need the processors, too. */
const PAUSE_MS = 50;

/** What an ordinary client went through. */
export interface OrdinaryTraffic {
  /** Images pushed and pulled. */
  readonly images: number;
  readonly failures: readonly string[];
  /** Of each request. */
  readonly latencies: readonly Latency[];
}

export interface Latency {
  /** When it was asked, counted from the first one. */
  readonly atMs: number;
  readonly ms: number;
}

/** Pushes and pulls small images, one after the other, until `end` settles. */
export async function trafficUntil(
  end: Promise<unknown>,
  url: string,
  repository: string,
): Promise<OrdinaryTraffic> {
  const state = { isOver: false, images: 0 };
  const stop = () => {
    state.isOver = true;
  };
  end.then(stop, stop);
  const latencies: Latency[] = [];
  const first = performance.now();
  const note = (begin: number) =>
    void latencies.push({ atMs: begin - first, ms: performance.now() - begin });
  const failures: string[] = [];
  const api = new HttpClient(url);
  while (!state.isOver) {
    await pushAndPull(api, repository, `${state.images}`, note).catch((error: unknown) =>
      failures.push(String(error)),
    );
    state.images += 1;
    await delay(PAUSE_MS);
  }
  return { images: state.images, failures, latencies };
}

async function pushAndPull(
  api: HttpClient,
  repository: string,
  tag: string,
  note: (beginMs: number) => void,
): Promise<void> {
  const timed = async <T>(request: Promise<T>): Promise<T> => {
    const begin = performance.now();
    const answer = await request;
    note(begin);
    return answer;
  };
  const layer = randomSample(LAYER_BYTES);
  const image = imageOf(layer);
  await timed(pushBlob(api, repository, layer));
  await timed(expectStatus(putManifest(api, repository, tag, image), 201));
  const headers = { Accept: OCI_MANIFEST };
  const path = `/v2/${repository}/manifests/${tag}`;
  const manifest = await timed(expectStatus(api.send('GET', path, { headers }), 200));
  const blob = await timed(
    expectStatus(api.send('GET', `/v2/${repository}/blobs/${layer.digest}`), 200),
  );
  if (!manifest.body.equals(image.bytes)) throw new Error(`${tag} is another manifest`);
  if (!blob.body.equals(layer.bytes)) throw new Error(`${layer.digest} has other bytes`);
}
