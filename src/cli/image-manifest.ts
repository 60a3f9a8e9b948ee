import { type Client, memberOf } from './client.ts';
import { CliError, hasStatus } from './errors.ts';

/** What a registry is asked for: it says by these what it may answer. */
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
].join(', ');
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

export interface Layer {
  readonly digest: string;
  /** 0 where the manifest doesn't say it. */
  readonly sizeBytes: number;
}

export interface Repository {
  readonly team: string;
  readonly artifact: string;
}

/**
 * The layers of an image, the topmost first.
 * @param platform undefined: that of this machine, or the only one that there is
 */
export async function readLayers(
  client: Client,
  repository: Repository,
  reference: string,
  platform: string | undefined,
): Promise<Layer[]> {
  const manifest = await readManifest(client, repository, reference);
  const children = memberOf(manifest, 'manifests');
  if (!Array.isArray(children)) return layersOf(manifest);
  const digest = choosePlatform(children, platform, `${repository.artifact}:${reference}`);
  return layersOf(await readManifest(client, repository, digest));
}

export function repositoryPath({ team, artifact }: Repository): string {
  return `/v2/${[team, ...artifact.split('/')].map(encodeURIComponent).join('/')}`;
}

async function readManifest(
  client: Client,
  repository: Repository,
  reference: string,
): Promise<unknown> {
  const path = `${repositoryPath(repository)}/manifests/${encodeURIComponent(reference)}`;
  const { body } = await client.open(path, { headers: { Accept: ACCEPT } }).catch((error) => {
    throw hasStatus(error, 404) ? missing(repository, reference, error) : error;
  });
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > MAX_MANIFEST_BYTES)
      throw new CliError(`The manifest of ${reference} is too large.`);
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch (cause) {
    throw new CliError(`The manifest of ${reference} is no JSON: check the URL.`, undefined, {
      cause,
    });
  }
}

function missing({ team, artifact }: Repository, reference: string, cause: unknown): CliError {
  const image = `${team}/${artifact}${reference.includes(':') ? '@' : ':'}${reference}`;
  const message = `There is no ${image}: see pierone tags ${team} ${artifact}.`;
  return new CliError(message, undefined, { cause });
}

/** Schema 1 lists the topmost first, all others last. */
function layersOf(manifest: unknown): Layer[] {
  const layers = memberOf(manifest, 'layers');
  if (Array.isArray(layers))
    return layers.flatMap((layer) => layerOf(layer, 'digest')).toReversed();
  const oldLayers = memberOf(manifest, 'fsLayers');
  return Array.isArray(oldLayers) ? oldLayers.flatMap((layer) => layerOf(layer, 'blobSum')) : [];
}

/** It becomes a part of a path, and is shown; other registries may serve anything. */
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[\w=-]+$/;

function layerOf(layer: unknown, field: string): Layer[] {
  const digest = memberOf(layer, field);
  const size = memberOf(layer, 'size');
  if (typeof digest !== 'string') return [];
  if (!DIGEST.test(digest))
    throw new CliError('The manifest names a layer by what is no digest: check the URL.');
  return [{ digest, sizeBytes: typeof size === 'number' ? size : 0 }];
}

interface Child {
  readonly digest: string;
  /** As in linux/arm64/v8. */
  readonly platform: string;
}

/** @returns the digest of the manifest */
function choosePlatform(
  entries: readonly unknown[],
  wanted: string | undefined,
  name: string,
): string {
  const children = entries.flatMap(childOf);
  const [only] = children;
  if (wanted === undefined && only && children.length === 1) return only.digest;
  const platform = wanted ?? ownPlatform();
  const found =
    children.find((child) => child.platform === platform) ??
    children.find((child) => child.platform.startsWith(`${platform}/`));
  if (found) return found.digest;
  const names =
    [...new Set(children.map((child) => child.platform))].join(', ') || 'no image at all';
  throw new CliError(`${name} has no image for ${platform}, only ${names}: give --platform.`);
}

/** Attestations have an unknown platform: they are no images. */
function childOf(entry: unknown): Child[] {
  const digest = memberOf(entry, 'digest');
  const platform = memberOf(entry, 'platform');
  const parts = ['os', 'architecture', 'variant'].map((name) => memberOf(platform, name));
  if (typeof digest !== 'string' || !DIGEST.test(digest) || parts[0] === 'unknown') return [];
  const known = parts.filter((part) => typeof part === 'string' && part !== '');
  return [{ digest, platform: known.join('/') || 'unknown' }];
}

/** Go's names of what Node.js names otherwise. Images are of Linux, also where docker runs on macOS. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
  loong64: 'loong64',
};

function ownPlatform(): string {
  return `linux/${ARCHITECTURES[process.arch] ?? process.arch}`;
}
