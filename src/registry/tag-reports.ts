import type { MetadataStore } from '../meta/metadata-store.ts';
import type { TagDetails } from '../meta/records/catalog-records.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/error.ts';
import { isIndexMediaType } from '../oci/media-type.ts';
import { type Platform, platformOfConfig, platformsOfIndex } from '../oci/platform.ts';
import type { Tag } from '../oci/reference.ts';
import type { Referrer } from '../oci/referrer.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { FoundScmSource, ScmReport } from '../oci/scm-source.ts';
import type { Blobs } from './blobs.ts';
import type { Catalog } from './catalog.ts';
import type { Manifests } from './manifests.ts';

/** Of a config that is read; docker's have some kilobytes. */
const MAX_CONFIG_BYTES = 1024 * 1024;
/** More are listed below /v2/. */
const MAX_REFERRERS = 100;

/** All that is known of one tag. */
export interface TagReport extends TagDetails {
  readonly platforms: readonly Platform[];
  readonly scm: ScmReport | undefined;
  /** The first ones; signatures and attestations, for instance. */
  readonly referrers: readonly Referrer[];
}

export interface TagReportsParts {
  readonly metadata: MetadataStore;
  readonly catalog: Catalog;
  readonly manifests: Manifests;
  readonly blobs: Blobs;
}

/** Why nothing, or not all, is known of a source; undefined: all is. */
export function scmProblem({ invalid, failed }: ScmReport): string | undefined {
  const problems = [
    ...invalid.map(
      ({ origin, digest, reason }) => `the ${origin} in ${digest} is invalid: ${reason}`,
    ),
    ...failed.map(({ digest, reason }) => `${digest} can not be read: ${reason}`),
  ];
  return problems.length === 0 ? undefined : problems.join('; ');
}

/** Puts together what different places know of a tag. */
export class TagReports {
  readonly #parts: TagReportsParts;

  constructor(parts: TagReportsParts) {
    this.#parts = parts;
  }

  /** @throws OciError MANIFEST_UNKNOWN */
  async report(repository: RepositoryName, tag: Tag): Promise<TagReport> {
    const { metadata, catalog } = this.#parts;
    const details = await catalog.findTag(repository, tag);
    const page = { limit: MAX_REFERRERS, last: undefined };
    const [platforms, scm, { referrers }] = await Promise.all([
      this.#platforms(repository, details),
      metadata.scmSources.ofTag(repository, tag),
      metadata.manifests.listReferrers(repository, details.digest, undefined, page),
    ]);
    return { ...details, platforms, scm, referrers };
  }

  /** @throws OciError MANIFEST_UNKNOWN: there is no such tag, or its source isn't known */
  async scmSource(repository: RepositoryName, tag: Tag): Promise<FoundScmSource> {
    const { metadata, catalog } = this.#parts;
    const { name } = await catalog.findTag(repository, tag);
    const report = await metadata.scmSources.ofTag(repository, tag);
    if (report?.source) return report.source;
    const nothing = report?.pending
      ? 'its layers are still being looked into, ask again'
      : 'it has no scm-source.json';
    const why = (report && scmProblem(report)) ?? nothing;
    throw new OciError('MANIFEST_UNKNOWN', {
      message: `the source of ${repository}:${name} is not known: ${why}`,
    });
  }

  async #platforms(repository: RepositoryName, details: TagDetails): Promise<readonly Platform[]> {
    const { digest, mediaType, image } = details;
    if (isIndexMediaType(mediaType)) {
      const { manifests } = this.#parts;
      return platformsOfIndex((await manifests.find(repository, { kind: 'digest', digest })).bytes);
    }
    if (image === digest) return [];
    const config = await this.#readSmall(repository, image);
    const platform = config && platformOfConfig(config);
    return platform ? [platform] : [];
  }

  async #readSmall(repository: RepositoryName, digest: Digest): Promise<Uint8Array | undefined> {
    const blob = await this.#parts.blobs.find(repository, digest);
    if (blob.sizeBytes === 0 || blob.sizeBytes > MAX_CONFIG_BYTES) return undefined;
    const chunks: Uint8Array[] = [];
    // A chunk is overwritten when the next one is asked for.
    for await (const chunk of blob.read({ first: 0, last: blob.sizeBytes - 1 })) {
      chunks.push(chunk.slice());
    }
    return Buffer.concat(chunks);
  }
}
