import { randomBytes } from 'node:crypto';
import { HttpClient } from '../test/support/http-client.ts';
import {
  expectStatus,
  imageOf,
  putManifest,
  randomSample,
  type Sample,
} from '../test/support/sample-content.ts';
import { createDatabase } from '../test/support/test-registry.ts';
import { type Blob, makeBlob } from './blob.ts';
import { push, verify } from './client.ts';
import { makeDirectory } from './directories.ts';
import { type Registry, startOurs, startPeer } from './registries.ts';
import { openS3Place } from './s3-place.ts';
import { startPostgres } from './services.ts';
import { pushSmallBlob } from './small-blob.ts';

/** What is measured, with the same content in each. */
export interface Subject {
  readonly name: 'ours' | 'peer';
  readonly registry: Registry;
  /** A second instance on the same database and store; the peer has none. */
  readonly second: Registry | undefined;
  readonly content: Content;
}

export interface Content {
  /** A layer that is pulled, and five that are pulled at once, in `bench/pull`. */
  readonly layer: Blob;
  readonly layers: readonly Blob[];
  /** An image with one small layer and the tag `1.0`, in `bench/small`. */
  readonly image: Sample;
  readonly smallBlob: Sample;
}

/** A repository with 100 tags. */
export const TAGGED = 'bench/tagged';
export const SMALL = 'bench/small';
export const PULLED = 'bench/pull';
export const SMALL_TAG = '1.0';

const TAGS = 100;
const SMALL_BLOB_BYTES = 600;
const WARM_UP_MIB = 64;

export type Place = 'disk' | 's3' | 's3-far';

export interface Sizes {
  readonly layerMib: number;
  readonly severalMib: number;
}

/** Both registries, side by side on one place. */
export interface Scene {
  readonly subjects: readonly Subject[];
  stop(): Promise<void>;
}

type Starts = Readonly<Record<Subject['name'], () => Promise<Registry[]>>>;

/** Starts what is to be measured, and puts content into it. */
export async function openScene(
  place: Place,
  names: readonly Subject['name'][],
  sizes: Sizes,
): Promise<Scene> {
  const { starts, stop } = place === 'disk' ? await openDisk() : await openS3(place === 's3-far');
  const running: Registry[] = [];
  const stopAll = async () => {
    for (const registry of running) await registry.stop();
    await stop();
  };
  try {
    const subjects: Subject[] = [];
    for (const name of names) {
      const registries = await starts[name]();
      running.push(...registries);
      subjects.push(await prepare(name, registries, sizes));
    }
    return { subjects, stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function openDisk(): Promise<{ starts: Starts; stop: () => Promise<void> }> {
  const postgres = await startPostgres();
  return {
    starts: {
      ours: async () => {
        const environment = {
          DATABASE_URL: await createDatabase(postgres.url),
          STORAGE_DIRECTORY: makeDirectory(),
        };
        return [await startOurs({ environment }), await startOurs({ environment })];
      },
      peer: async () => [await startPeer()],
    },
    stop: () => postgres.stop(),
  };
}

async function openS3(isDistant: boolean): Promise<{ starts: Starts; stop: () => Promise<void> }> {
  const place = await openS3Place(isDistant);
  return {
    starts: {
      ours: async () => [await place.startOurs({ BUFFER_MEMORY_MIB: '256' })],
      peer: async () => [await place.startPeer()],
    },
    stop: () => place.stop(),
  };
}

async function prepare(
  name: Subject['name'],
  [registry, second]: readonly Registry[],
  { layerMib, severalMib }: Sizes,
): Promise<Subject> {
  if (!registry) throw new Error('no registry was started');
  await push(registry.url, 'bench/warm-up', makeBlob(WARM_UP_MIB), 'chunked');
  const layer = makeBlob(layerMib);
  const layers = Array.from({ length: 5 }, () => makeBlob(severalMib));
  for (const blob of [layer, ...layers]) {
    await push(registry.url, PULLED, blob, 'length');
    await verify(registry.url, PULLED, blob);
  }
  const { image, smallBlob } = await pushSmall(registry.url);
  return { name, registry, second, content: { layer, layers, image, smallBlob } };
}

async function pushSmall(url: string): Promise<Pick<Content, 'image' | 'smallBlob'>> {
  const api = new HttpClient(url);
  const smallBlob = randomSample(SMALL_BLOB_BYTES);
  const image = await pushSmallImage(api, SMALL, SMALL_TAG, smallBlob);
  for (let tag = 0; tag < TAGS; tag += 1) {
    await pushSmallImage(api, TAGGED, `0.${String(tag).padStart(3, '0')}`, smallBlob);
  }
  return { image, smallBlob };
}

async function pushSmallImage(
  api: HttpClient,
  repository: string,
  tag: string,
  layer: Sample,
): Promise<Sample> {
  const config = randomSample(SMALL_BLOB_BYTES);
  for (const blob of [config, layer]) await pushSmallBlob(api, repository, blob);
  const image = imageOf(config, [layer], randomBytes(8).toString('hex'));
  await expectStatus(putManifest(api, repository, tag, image), 201);
  return image;
}
