import { randomBytes } from 'node:crypto';
import { generateCatalog, MANY_TAGS } from '../test/support/generated-catalog.ts';
import type { HttpClient } from '../test/support/http-client.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  putManifest,
  randomSample,
} from '../test/support/sample-content.ts';
import { createDatabase, sql } from '../test/support/test-registry.ts';
import { makeDirectory } from './directories.ts';
import { type Registry, startOurs } from './registries.ts';
import type { NumberedRequest } from './request-costs.ts';
import { startPostgres } from './services.ts';
import { pushSmallBlob } from './small-blob.ts';

const [team = '', artifact = ''] = MANY_TAGS.split('/');

/** Of a repository with many tags, whose every manifest and blob is asked for the first time. */
export const MANY_CONTENT: Readonly<Record<string, NumberedRequest>> = {
  'GET manifest by tag': async (api, number) => {
    const headers = { Accept: OCI_MANIFEST };
    await expectStatus(
      api.send('GET', `/v2/${MANY_TAGS}/manifests/tag-${number}`, { headers }),
      200,
    );
  },
  'HEAD blob': async (api, number) => {
    await expectStatus(api.send('HEAD', `/v2/${MANY_TAGS}/blobs/${digestOfBlob(number)}`), 200);
  },
  'page of tags/list': async (api, number) => {
    await get(api, `/v2/${MANY_TAGS}/tags/list?n=100&last=tag-${number}`);
  },
  'page of the REST list of tags': async (api) => {
    await get(api, `/teams/${team}/artifacts/${artifact}/tags?limit=100`);
  },
  'page of _catalog': async (api, number) => {
    await get(api, `/v2/_catalog?n=100&last=team-${number % 200}`);
  },
  'push of a small blob': async (api) => {
    await pushSmallBlob(api, MANY_TAGS, randomSample(600));
  },
  'push of a manifest with a new tag': async (api, number) => {
    const config = randomSample(200);
    await pushSmallBlob(api, MANY_TAGS, config);
    const tag = `new-${number}-${randomBytes(6).toString('hex')}`;
    await expectStatus(putManifest(api, MANY_TAGS, tag, imageOf(config)), 201);
  },
};

/** A registry with so many tags and blobs in one repository, and as many repositories besides, up to 100,000. */
export async function openLarge(count: number): Promise<Registry> {
  const postgres = await startPostgres();
  const databaseUrl = await createDatabase(postgres.url);
  const environment = { DATABASE_URL: databaseUrl, STORAGE_DIRECTORY: makeDirectory() };
  // First, since it takes no empty directory beside a database with content.
  const registry = await startOurs({ environment });
  await generateCatalog(databaseUrl, { repositories: Math.min(count, 100_000), tags: count });
  await generateBlobs(databaseUrl, count);
  return {
    ...registry,
    stop: async () => {
      await registry.stop();
      await postgres.stop();
    },
  };
}

async function get(api: HttpClient, path: string): Promise<void> {
  await expectStatus(api.send('GET', path), 200);
}

async function generateBlobs(databaseUrl: string, count: number): Promise<void> {
  const digests = `select 'sha256:' || lpad(to_hex(n), 64, '0') as digest, 600 as size_bytes from generate_series(1, $1::int) n`;
  await sql(databaseUrl, `insert into blobs (digest, size_bytes) ${digests}`, [count]);
  await sql(
    databaseUrl,
    `insert into blob_segments (digest, number, key, size_bytes) select digest, 0, 'made-up/' || digest, 600 from (${digests}) d`,
    [count],
  );
  await sql(
    databaseUrl,
    `insert into blob_links (repository_id, digest) select r.id, d.digest from repositories r, (${digests}) d where r.name = $2`,
    [count, MANY_TAGS],
  );
  await sql(databaseUrl, 'vacuum analyze');
}

function digestOfBlob(number: number): string {
  return `sha256:${number.toString(16).padStart(64, '0')}`;
}
