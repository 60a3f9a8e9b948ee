import type { MetadataStore } from '../../src/meta/metadata-store.ts';
import { openPgMetadataStore } from '../../src/meta/pg/pg-metadata-store.ts';
import type { ScmReport } from '../../src/oci/scm-source.ts';
import type { HttpClient } from './http-client.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  type Sample,
  sampleOf,
} from './sample-content.ts';
import { sql } from './test-registry.ts';
import { repositoryOf, tagOf } from './vocabulary.ts';
import { waitUntil } from './wait-until.ts';

export interface ScanRow {
  readonly digest: string;
  readonly state: string;
  readonly attempts: number;
  readonly reason: string | null;
}

/** What is known of sources in a database, as the registry would tell. */
export interface ScmScene {
  readonly metadata: MetadataStore;
  /** Once nothing is pending. */
  report(repository: string, tag: string): Promise<ScmReport>;
  scans(): Promise<ScanRow[]>;
  scanOf(blob: Sample): Promise<ScanRow | undefined>;
  close(): Promise<void>;
}

export function openScmScene(databaseUrl: string): ScmScene {
  const metadata = openPgMetadataStore({
    url: databaseUrl,
    maxConnections: 2,
    isMutableTag: () => false,
    onConnectionLost: () => undefined,
  });
  const scans = () =>
    sql<ScanRow>(databaseUrl, 'select digest, state, attempts, reason from scm_scans order by 1');
  return {
    metadata,
    report: (repository, tag) =>
      waitUntil(`the source of ${repository}:${tag}`, async () => {
        const report = await metadata.scmSources.ofTag(repositoryOf(repository), tagOf(tag));
        return report?.pending === 0 && report;
      }),
    scans,
    scanOf: async ({ digest }) => (await scans()).find((scan) => scan.digest === digest),
    close: () => metadata.close(),
  };
}

/** Pushes an image, with a config of its own, and all its blobs. @returns its manifest */
export async function pushLayers(
  api: HttpClient,
  repository: string,
  tag: string,
  layers: readonly Buffer[],
  config: object = {},
): Promise<Sample> {
  const blobs = layers.map(sampleOf);
  const configBlob = sampleOf(Buffer.from(JSON.stringify({ note: tag, ...config })));
  for (const blob of [configBlob, ...blobs]) await pushBlob(api, repository, blob);
  const image = imageOf(configBlob, blobs, `${repository}:${tag}`);
  await expectStatus(putManifest(api, repository, tag, image), 201);
  return image;
}

export function annotated(image: Sample, annotations: Readonly<Record<string, string>>): Sample {
  const document: unknown = JSON.parse(image.bytes.toString());
  return sampleOf(Buffer.from(JSON.stringify({ ...Object(document), annotations })));
}

export function putWithHeader(
  api: HttpClient,
  repository: string,
  tag: string,
  image: Sample,
  header: string,
) {
  return api.send('PUT', `/v2/${repository}/manifests/${tag}`, {
    headers: { 'Content-Type': OCI_MANIFEST, 'X-SCM-Source': header },
    body: image.bytes,
  });
}
