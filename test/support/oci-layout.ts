import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tarEnd, tarHeader, tarPadding } from './tar-writer.ts';

const MEDIA_TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;
const STEP_BYTES = 1024 * 1024;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Platform {
  readonly architecture: string;
  readonly os: string;
}

export interface ImageWish {
  readonly layers: number;
  readonly layerBytes: number;
  readonly architecture?: string;
  /** A further file, at the end of the last layer. */
  readonly file?: { readonly name: string; readonly content: string };
}

/** An image in an OCI layout directory of its own. */
export interface LayoutImage {
  readonly directory: string;
  readonly tag: string;
  /** As skopeo names it. */
  readonly source: string;
  readonly manifestDigest: string;
  /** What docker and podman call the image's ID. */
  readonly configDigest: string;
  /** Of the layers' plain tar archives. They are stored plain, so they are the layers' digests too. */
  readonly diffIds: readonly string[];
}

/** Makes an image of random files, without a network and without a client. */
export async function makeImage(directory: string, wish: ImageWish): Promise<LayoutImage> {
  await startLayout(directory);
  const image = await writeImage(directory, wish);
  await writeIndex(directory, { ...image.manifest, annotations: { [REF_NAME]: 'image' } });
  return {
    directory,
    tag: 'image',
    source: `oci:${directory}:image`,
    manifestDigest: image.manifest.digest,
    configDigest: image.configDigest,
    diffIds: image.diffIds,
  };
}

/** An index of one image for each architecture. */
export interface LayoutIndex {
  readonly directory: string;
  readonly source: string;
  readonly indexDigest: string;
}

export async function makeIndex(
  directory: string,
  architectures: readonly string[],
  wish: ImageWish,
): Promise<LayoutIndex> {
  await startLayout(directory);
  const manifests: (Descriptor & { platform: Platform })[] = [];
  for (const architecture of architectures) {
    const { manifest } = await writeImage(directory, { ...wish, architecture });
    manifests.push({ ...manifest, platform: { architecture, os: 'linux' } });
  }
  const index = await writeJson(directory, MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests,
  });
  await writeIndex(directory, { ...index, annotations: { [REF_NAME]: 'index' } });
  return { directory, source: `oci:${directory}:index`, indexDigest: index.digest };
}

const REF_NAME = 'org.opencontainers.image.ref.name';

async function startLayout(directory: string): Promise<void> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function writeIndex(directory: string, entry: object): Promise<void> {
  const index = { schemaVersion: 2, manifests: [entry] };
  return writeFile(join(directory, 'index.json'), JSON.stringify(index));
}

async function writeImage(directory: string, wish: ImageWish) {
  const layers: Descriptor[] = [];
  for (let number = 1; number <= wish.layers; number++) {
    const file = number === wish.layers ? wish.file : undefined;
    layers.push(await writeLayer(directory, `file-${number}`, wish.layerBytes, file));
  }
  const diffIds = layers.map((layer) => layer.digest);
  const config = await writeJson(directory, MEDIA_TYPES.config, {
    architecture: wish.architecture ?? 'amd64',
    os: 'linux',
    config: { Cmd: ['/file-1'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: layers.map((_, index) => ({ created_by: `layer ${index + 1}` })),
  });
  const manifest = await writeJson(directory, MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config,
    layers,
  });
  return { manifest, configDigest: config.digest, diffIds };
}

async function writeJson(directory: string, mediaType: string, value: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = sha256(bytes);
  await writeFile(blobPath(directory, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** A tar archive of one file of random bytes, which no client can compress away. */
async function writeLayer(
  directory: string,
  name: string,
  sizeBytes: number,
  last: ImageWish['file'],
): Promise<Descriptor> {
  const hash = createHash('sha256');
  const unfinished = join(directory, 'unfinished-layer');
  const file = await open(unfinished, 'w');
  let size = 0;
  for (const piece of tarPieces(name, sizeBytes, last)) {
    hash.update(piece);
    await file.writeFile(piece);
    size += piece.length;
  }
  await file.close();
  const digest = `sha256:${hash.digest('hex')}`;
  await rename(unfinished, blobPath(directory, digest));
  return { mediaType: MEDIA_TYPES.layer, digest, size };
}

function* tarPieces(name: string, sizeBytes: number, last: ImageWish['file']): Generator<Buffer> {
  yield tarHeader(name, sizeBytes);
  for (let left = sizeBytes; left > 0; left -= STEP_BYTES) {
    yield randomFillSync(Buffer.allocUnsafe(Math.min(left, STEP_BYTES)));
  }
  yield tarPadding(sizeBytes);
  if (last) {
    const bytes = Buffer.from(last.content);
    yield Buffer.concat([tarHeader(last.name, bytes.length), bytes, tarPadding(bytes.length)]);
  }
  yield tarEnd();
}

export function blobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', digest.replace(':', '/'));
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}
