import { expect } from 'vitest';
import type { HttpClient } from '../http-client.ts';
import {
  descriptor,
  digestOf,
  expectStatus,
  imageOf,
  indexOf,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  type Sample,
  sampleOf,
  startUpload,
} from '../sample-content.ts';
import { SeededRandom } from '../seeded-random.ts';

const UPLOADS = 32;
const CONFIG = sampleOf(Buffer.from('{}'));

/** What is in the registry before the first mutation. */
export interface Scene {
  readonly repository: string;
  /** Those that mutated requests may fill, the one with the content among them. */
  readonly repositories: readonly string[];
  readonly blobs: readonly Sample[];
  readonly images: readonly Sample[];
  readonly index: Sample;
  /** A manifest whose subject is the first image. */
  readonly signature: Sample;
  readonly tags: ReadonlyMap<string, Sample>;
  /** Paths of uploads; answers to mutated requests replace old ones. */
  readonly uploads: string[];
}

/** Puts real content into an empty registry. */
export async function prepareScene(api: HttpClient): Promise<Scene> {
  const repository = 'fuzz/app';
  const random = new SeededRandom(1);
  const blobs = [CONFIG, ...[0, 1, 1000, 100_000].map((size) => sampleOf(random.bytes(size)))];
  for (const blob of blobs) await pushBlob(api, repository, blob);
  const images = ['one', 'two', 'three'].map((note) => imageOf(CONFIG, blobs.slice(1), note));
  const index = indexOf(images);
  const [first = index] = images;
  const signature = signatureOf(first);
  const tags = new Map([
    ['1.0', first],
    ['v2-SNAPSHOT', first],
    ['index', index],
    [first.digest.replace(':', '-'), indexOf([], 'signatures')],
  ]);
  for (const image of [...images, signature]) {
    await expectStatus(putManifest(api, repository, image.digest, image), 201);
  }
  for (const [tag, manifest] of tags) {
    const mediaType = manifest === first ? OCI_MANIFEST : OCI_INDEX;
    await expectStatus(putManifest(api, repository, tag, manifest, mediaType), 201);
  }
  const uploads: string[] = [];
  while (uploads.length < UPLOADS) uploads.push(await startUpload(api, repository));
  const repositories = [repository, 'fuzz/other', 'fuzz/deep/er/uploads', 'other/blobs'];
  return { repository, repositories, blobs, images, index, signature, tags, uploads };
}

/** What was answered by 201 can be read where the answer said, and has the digest of its address. */
export async function expectCreated(api: HttpClient, paths: Iterable<string>): Promise<void> {
  for (const path of paths) {
    const { body } = await expectStatus(api.send('GET', path), 200);
    const digest = path.slice(path.lastIndexOf('/') + 1);
    expect(digestOf(body, digest.startsWith('sha512') ? 'sha512' : 'sha256')).toBe(digest);
  }
}

function signatureOf(subject: Sample): Sample {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/vnd.example.signature',
    config: descriptor('application/vnd.oci.empty.v1+json', CONFIG),
    layers: [descriptor('application/vnd.oci.empty.v1+json', CONFIG)],
    subject: descriptor(OCI_MANIFEST, subject),
  };
  return sampleOf(Buffer.from(JSON.stringify(document)));
}

/** Everything that can't have changed is still there, byte by byte. */
export async function expectScene(api: HttpClient, scene: Scene): Promise<void> {
  const { repository, blobs, images, index, signature, tags } = scene;
  const path = `/v2/${repository}`;
  const wanted = [
    ...blobs.map((blob) => [`${path}/blobs/${blob.digest}`, blob] as const),
    ...[...images, index, signature].map(
      (manifest) => [`${path}/manifests/${manifest.digest}`, manifest] as const,
    ),
    // Of the others clients may have made something else.
    ...['1.0', 'index'].map((tag) => [`${path}/manifests/${tag}`, tags.get(tag)] as const),
  ];
  for (const [address, sample] of wanted) {
    const answer = await expectStatus(api.send('GET', address), 200);
    expect(answer.body.equals(sample?.bytes ?? Buffer.alloc(0)), address).toBe(true);
  }
  const { body } = await expectStatus(
    api.send('GET', `${path}/referrers/${images[0]?.digest}`),
    200,
  );
  expect(body.toString()).toContain(signature.digest);
}
