import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notAllowed } from '../support/api-expectations.ts';
import { type Row, testRows } from '../support/api-table.ts';
import type { HttpClient } from '../support/http-client.ts';
import {
  descriptor,
  expectStatus,
  imageOf,
  indexOf,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  type Sample,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let api: HttpClient;

const CONFIG = sampleOf(Buffer.from('{}'));
const IMAGE = imageOf(CONFIG);

beforeAll(async () => {
  fixture = await openFixture();
  api = fixture.registry.api;
  await pushBlob(api, 'a/a', CONFIG);
  await expectStatus(putManifest(api, 'a/a', IMAGE.digest, IMAGE), 201);
});

afterAll(() => fixture?.close());

const METHODS: Row[] = ['DELETE', 'PUT', 'POST', 'PATCH'].map((method) => ({
  request: `${method} /v2/REPO/referrers/ABSENT`,
  ...notAllowed('GET, HEAD'),
}));

const EMPTY = {
  status: 200,
  answer: { 'content-type': OCI_INDEX, 'cache-control': 'no-store', link: undefined },
  content: { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] },
};
const NONE: Row[] = [
  { request: 'GET /v2/REPO/referrers/ABSENT', note: 'no such repository', ...EMPTY },
  { request: 'GET /v2/REPO/referrers/ABSENT', given: 'an image', ...EMPTY },
  { request: 'GET /v2/REPO/referrers/IMAGE', given: 'an image', ...EMPTY },
  { request: 'GET /v2/REPO/referrers/BLOB512', given: 'an image', note: 'of a sha512', ...EMPTY },
  {
    request: 'GET /v2/REPO/referrers/ABSENT?artifactType=a%2Fb',
    ...EMPTY,
    answer: { ...EMPTY.answer, 'oci-filters-applied': 'artifactType' },
  },
  { request: 'GET /v2/REPO/referrers/ABSENT?artifactType=%00', note: 'NUL', ...EMPTY },
  { request: 'GET /v2/REPO/referrers/ABSENT?last=x', note: 'last is no digest', ...EMPTY },
];

testRows(
  {
    'end-12a: GET /v2/NAME/referrers/DIGEST is an index, never 404': NONE,
    'end-12: 405 carries Allow': METHODS,
  },
  () => fixture,
);

function referring(subject: Sample, extra: object): Sample {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor('application/x-config', CONFIG),
    layers: [],
    subject: descriptor(OCI_MANIFEST, subject),
    ...extra,
  };
  return sampleOf(Buffer.from(JSON.stringify(document)));
}

describe('end-12a, end-12b: referrers', () => {
  test('are listed by their subject, which need not exist', async () => {
    const subject = imageOf(CONFIG, [], 'not pushed');
    const annotations = { a: 'b' };
    const byType = referring(subject, { artifactType: 'application/x-signature', annotations });
    const byConfig = referring(subject, {});
    const index = sampleOf(
      Buffer.from(
        JSON.stringify({
          ...JSON.parse(indexOf([IMAGE]).bytes.toString()),
          annotations,
          subject: descriptor(OCI_MANIFEST, subject),
        }),
      ),
    );
    for (const [manifest, type] of [
      [byType, OCI_MANIFEST],
      [byConfig, OCI_MANIFEST],
      [index, OCI_INDEX],
    ] as const) {
      const answer = await putManifest(api, 'a/a', manifest.digest, manifest, type);
      expect(answer).toMatchObject({ status: 201, headers: { 'oci-subject': subject.digest } });
    }
    const signature = descriptor(OCI_MANIFEST, byType, {
      artifactType: 'application/x-signature',
      annotations,
    });
    const path = `/v2/a/a/referrers/${subject.digest}`;
    expect(await listed(path)).toEqual([
      signature,
      descriptor(OCI_MANIFEST, byConfig, { artifactType: 'application/x-config' }),
      descriptor(OCI_INDEX, index, { annotations }),
    ]);
    const filtered = await api.send('GET', `${path}?artifactType=application%2Fx-signature`);
    expect(filtered.headers['oci-filters-applied']).toBe('artifactType');
    expect(JSON.parse(filtered.body.toString())).toMatchObject({ manifests: [signature] });
    expect(await listed(`${path}?artifactType=application%2Fother`)).toEqual([]);
    const head = await api.send('HEAD', path);
    expect(head).toMatchObject({ status: 200, headers: { 'content-type': OCI_INDEX } });
  });

  test('that are many come in pages, each of them once and in their order', async () => {
    const subject = imageOf(CONFIG, [], 'a subject of many');
    const annotations = { large: 'x'.repeat(3_000_000) };
    const pushed: string[] = [];
    for (let number = 0; number < 6; number += 1) {
      const manifest = referring(subject, { annotations, artifactType: `application/x-${number}` });
      await expectStatus(putManifest(api, 'a/a', manifest.digest, manifest), 201);
      pushed.push(manifest.digest);
    }
    const seen: string[] = [];
    let pages = 0;
    for (let path: string | undefined = `/v2/a/a/referrers/${subject.digest}`; path; pages += 1) {
      const answer = await api.send('GET', path);
      expect(answer.status).toBe(200);
      const index: { manifests: { digest: string }[] } = JSON.parse(answer.body.toString());
      seen.push(...index.manifests.map(({ digest }) => digest));
      path = /^<(.*)>; rel="next"$/.exec(answer.headers['link'] ?? '')?.[1];
    }
    expect(seen).toEqual(pushed);
    expect(pages).toBe(3);
  });
});

async function listed(path: string): Promise<unknown> {
  const answer = await api.send('GET', path);
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': OCI_INDEX } });
  const index: unknown = JSON.parse(answer.body.toString());
  expect(index).toMatchObject({ schemaVersion: 2, mediaType: OCI_INDEX });
  return typeof index === 'object' && index && 'manifests' in index ? index.manifests : undefined;
}
