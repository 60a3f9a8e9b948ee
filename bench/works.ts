import { OCI_MANIFEST } from '../test/support/sample-content.ts';
import type { Figure, Unit } from './figure.ts';
import { measureImages } from './images.ts';
import { measureLists } from './lists-of-tags.ts';
import { measureGets, measureHeads, type SmallRequest } from './requests.ts';
import { type Place, type Sizes, SMALL, SMALL_TAG, type Subject } from './scene.ts';
import { measurePull, measurePush } from './transfers.ts';

export interface Work {
  /** For --works. */
  readonly id: string;
  readonly name: string;
  readonly unit: Unit;
  /** Of ours as a multiple of the peer's. */
  readonly targets: { readonly disk?: number; readonly s3?: number };
  run(subject: Subject, options: WorkOptions): Promise<Figure>;
}

export interface WorkOptions extends Sizes {
  /** Of works that ask small things again and again. */
  readonly seconds: number;
}

const SEVERAL = 5;
const ACCEPT = { Accept: OCI_MANIFEST };

const byTag = `/v2/${SMALL}/manifests/${SMALL_TAG}`;

function get(find: (subject: Subject) => SmallRequest): Work['run'] {
  return (subject, { seconds }) => measureGets(subject, find(subject), seconds, 'wrk');
}

function head(find: (subject: Subject) => SmallRequest): Work['run'] {
  return (subject) => measureHeads(subject, find(subject));
}

function push(mode: 'chunked' | 'length' | 'ranges'): Work['run'] {
  return (subject, { layerMib }) => measurePush(subject, mode, 1, layerMib);
}

function smallBlobOf({ content }: Subject): SmallRequest {
  const { digest, bytes } = content.smallBlob;
  return { path: `/v2/${SMALL}/blobs/${digest}`, body: bytes };
}

export const WORKS: readonly Work[] = [
  {
    id: 'push',
    name: 'push, one layer, chunked (docker)',
    unit: 'MB/s',
    targets: { disk: 2.2, s3: 2 },
    run: push('chunked'),
  },
  {
    id: 'push-length',
    name: 'push, one layer, with length (skopeo)',
    unit: 'MB/s',
    targets: { disk: 2.2, s3: 2 },
    run: push('length'),
  },
  {
    id: 'push-five',
    name: 'push, five layers at once',
    unit: 'MB/s',
    targets: { disk: 1.8, s3: 2 },
    run: (subject, { severalMib }) => measurePush(subject, 'chunked', SEVERAL, severalMib),
  },
  {
    id: 'push-ranges',
    name: 'push in chunks of 64 MiB',
    unit: 'MB/s',
    targets: { disk: 1.7, s3: 4 },
    run: push('ranges'),
  },
  {
    id: 'pull',
    name: 'pull, one layer',
    unit: 'MB/s',
    targets: { disk: 1.3, s3: 1 },
    run: (subject) => measurePull(subject, [subject.content.layer]),
  },
  {
    id: 'pull-five',
    name: 'pull, five layers at once',
    unit: 'MB/s',
    targets: { disk: 1.1, s3: 1 },
    run: (subject) => measurePull(subject, subject.content.layers),
  },
  {
    id: 'ping',
    name: 'GET /v2/',
    unit: 'requests/s',
    targets: { disk: 45 },
    run: get(() => ({ path: '/v2/' })),
  },
  {
    id: 'manifest-tag',
    name: 'GET manifest by tag',
    unit: 'requests/s',
    targets: { disk: 40 },
    run: get(({ content }) => ({ path: byTag, headers: ACCEPT, body: content.image.bytes })),
  },
  {
    id: 'manifest-digest',
    name: 'GET manifest by digest',
    unit: 'requests/s',
    targets: { disk: 40 },
    run: get(({ content: { image } }) => ({
      path: `/v2/${SMALL}/manifests/${image.digest}`,
      headers: ACCEPT,
      body: image.bytes,
    })),
  },
  {
    id: 'blob',
    name: 'GET of a 600-byte blob',
    unit: 'requests/s',
    targets: { disk: 30 },
    run: get(smallBlobOf),
  },
  {
    id: 'tags',
    name: 'GET tags/list (100 tags)',
    unit: 'requests/s',
    targets: { disk: 9 },
    run: (subject, { seconds }) => measureLists(subject, seconds),
  },
  {
    id: 'head-manifest',
    name: "HEAD manifest by tag, server's CPU per 1,000",
    unit: 'CPU s',
    targets: { disk: 0.03 },
    run: head(() => ({ path: byTag, headers: ACCEPT })),
  },
  {
    id: 'head-blob',
    name: "HEAD blob, server's CPU per 1,000",
    unit: 'CPU s',
    targets: { disk: 0.03 },
    run: head(smallBlobOf),
  },
  {
    id: 'images',
    name: 'push of small images, eight clients',
    unit: 'images/s',
    targets: { disk: 2 },
    run: (subject) => measureImages(subject),
  },
];

export function targetOf({ targets }: Work, place: Place): number | undefined {
  return place === 'disk' ? targets.disk : targets.s3;
}
