import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HttpClient } from '../support/http-client.ts';
import {
  descriptor,
  digestOf,
  expectStatus,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

const CONFIG = sampleOf(Buffer.from('{}'));

let fixture: RegistryFixture;
let api: HttpClient;

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  await pushBlob(api, 'team/referrers', CONFIG);
});

afterAll(() => fixture?.close());

describe('end-12: manifests under the fallback tag are referrers too', () => {
  const SIGNATURE = 'application/x-signature';
  const SBOM = 'application/x-sbom';
  let count = 0;

  /** An artifact, with a subject or without, and the descriptor that the list has of it. */
  async function artifact(artifactType: string, subject?: string, filler = '') {
    count += 1;
    const annotations = { number: String(count), filler };
    const document = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType,
      config: descriptor('application/vnd.oci.empty.v1+json', CONFIG),
      layers: [],
      ...(subject ? { subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 } } : {}),
      annotations,
    };
    const manifest = sampleOf(Buffer.from(JSON.stringify(document)));
    await expectStatus(putManifest(api, 'team/referrers', manifest.digest, manifest), 201);
    return descriptor(OCI_MANIFEST, manifest, { artifactType, annotations });
  }

  type Listed = Awaited<ReturnType<typeof artifact>>;

  async function putFallback(subject: string, manifests: readonly Listed[]): Promise<void> {
    const [algorithm = '', hex = ''] = subject.split(':');
    const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
    const index = sampleOf(Buffer.from(JSON.stringify(document)));
    const tag = `${algorithm}-${hex.slice(0, 64)}`;
    await expectStatus(putManifest(api, 'team/referrers', tag, index, OCI_INDEX), 201);
  }

  /** All pages. */
  async function listed(subject: string, query = ''): Promise<{ all: Listed[]; pages: number }> {
    const all: Listed[] = [];
    let pages = 0;
    let path: string | undefined = `/v2/team/referrers/referrers/${subject}${query}`;
    for (; path; pages += 1) {
      const answer = await expectStatus(api.send('GET', path), 200);
      expect(answer.headers['content-type']).toBe(OCI_INDEX);
      const page: { manifests: Listed[] } = JSON.parse(answer.body.toString());
      all.push(...page.manifests);
      path = /^<(.*)>; rel="next"$/.exec(answer.headers['link'] ?? '')?.[1];
    }
    return { all: sorted(all), pages };
  }

  function sorted(list: readonly Listed[]): Listed[] {
    return list.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  test.each(['sha256', 'sha512'] as const)('of a %s', async (algorithm) => {
    const subject = digestOf(`fallback ${algorithm}`, algorithm);
    const entries = [await artifact(SIGNATURE), await artifact(SBOM)];
    await putFallback(subject, entries);
    expect((await listed(subject)).all).toEqual(sorted(entries));
  });

  test('together with those that have a subject, each once', async () => {
    const subject = digestOf('both');
    const [one, two] = [await artifact(SIGNATURE, subject), await artifact(SBOM, subject)];
    const three = await artifact(SIGNATURE);
    await putFallback(subject, [one, three]);
    expect((await listed(subject)).all).toEqual(sorted([one, two, three]));
  });

  test('as the newest index of the tag has them', async () => {
    const subject = digestOf('grown');
    const [one, two] = [await artifact(SIGNATURE), await artifact(SBOM)];
    await putFallback(subject, [one]);
    await putFallback(subject, [one, two]);
    expect((await listed(subject)).all).toEqual(sorted([one, two]));
  });

  test('filtered by artifactType', async () => {
    const subject = digestOf('filtered');
    const [one, two] = [await artifact(SIGNATURE, subject), await artifact(SBOM, subject)];
    const [three, four] = [await artifact(SIGNATURE), await artifact(SBOM)];
    await putFallback(subject, [two, three, four]);
    const query = `?artifactType=${encodeURIComponent(SIGNATURE)}`;
    expect((await listed(subject, query)).all).toEqual(sorted([one, three]));
    const answer = await api.send('GET', `/v2/team/referrers/referrers/${subject}${query}`);
    expect(answer.headers['oci-filters-applied']).toBe('artifactType');
  });

  test('in pages, each once', async () => {
    const subject = digestOf('pages');
    const large = 'x'.repeat(3_000_000);
    const withSubject: Listed[] = [];
    for (let n = 0; n < 4; n += 1) withSubject.push(await artifact(SIGNATURE, subject, large));
    const without = [await artifact(SBOM), await artifact(SBOM), await artifact(SBOM)];
    await putFallback(subject, without);
    const { all, pages } = await listed(subject);
    expect(all.map(({ digest }) => digest)).toEqual(
      sorted([...withSubject, ...without]).map(({ digest }) => digest),
    );
    expect(pages).toBeGreaterThan(1);
  });

  test('an image under that tag is no list of referrers', async () => {
    const subject = digestOf('an image');
    const image = imageOf(CONFIG, [], 'fallback');
    const tag = `sha256-${subject.slice('sha256:'.length)}`;
    await expectStatus(putManifest(api, 'team/referrers', tag, image), 201);
    expect((await listed(subject)).all).toEqual([]);
  });
});
