import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../src/oci/error.ts';
import {
  MALFORMED_DIGEST,
  MALFORMED_RANGE,
  NO_BLOB,
  NO_MANIFEST,
  NO_REPOSITORY,
  NO_UPLOAD,
  notAllowed,
  TAG_EXISTS,
  UPLOAD,
  WRONG_SIZE,
} from '../support/api-expectations.ts';
import { image, OCI_TYPE } from '../support/api-scenes.ts';
import { check, type Row } from '../support/api-table.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { readSources } from '../support/source-imports.ts';
import { openFixture, type RegistryFixture, sql } from '../support/test-registry.ts';

/*
 * One request for each error code. The other tables hold every case of each.
 */

let postgres: TestPostgres;
let fixture: RegistryFixture;

beforeAll(async () => {
  postgres = await startPostgres();
  fixture = await openFixture({}, postgres);
});

afterAll(async () => {
  await fixture?.close();
  await postgres?.stop();
});

interface Example extends Row {
  /** What an operator has to have broken. */
  readonly broken?: () => Promise<unknown>;
  readonly mended?: () => Promise<unknown>;
}

const PUT = 'PUT /v2/REPO/manifests/v1';
const OCI = { 'Content-Type': OCI_TYPE };
/** A registry without access control refuses nobody: test/api/access.test.ts has these. */
const OF_ACCESS_CONTROL = new Set(['DENIED', 'TOOMANYREQUESTS', 'UNAUTHORIZED']);
const EXAMPLES: Readonly<Record<string, Example>> = {
  BLOB_UNKNOWN: { request: 'GET /v2/REPO/blobs/ABSENT', ...NO_BLOB },
  BLOB_UPLOAD_INVALID: {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    headers: { 'Content-Range': 'x' },
    body: 'x',
    ...MALFORMED_RANGE,
  },
  BLOB_UPLOAD_UNKNOWN: { request: 'GET /v2/REPO/blobs/uploads/x', ...NO_UPLOAD },
  DIGEST_INVALID: { request: 'GET /v2/REPO/blobs/sha256:x', ...MALFORMED_DIGEST },
  MANIFEST_BLOB_UNKNOWN: {
    request: PUT,
    headers: OCI,
    body: image('ABSENT'),
    status: 400,
    says: /^manifest references content that this repository does not have: push it first/,
  },
  MANIFEST_INVALID: {
    request: PUT,
    headers: OCI,
    body: 'hello',
    status: 400,
    says: /^manifest invalid: the manifest is not JSON in UTF-8$/,
  },
  MANIFEST_UNKNOWN: { request: 'GET /v2/REPO/manifests/v1', ...NO_MANIFEST },
  NAME_INVALID: {
    request: 'GET /v2/one/tags/list',
    status: 400,
    says: /^a repository is named TEAM\/ARTIFACT: .* as in my-team\/one$/,
    detail: { name: 'one' },
  },
  NAME_UNKNOWN: { request: 'GET /v2/REPO/tags/list', ...NO_REPOSITORY },
  SIZE_INVALID: {
    request: `PATCH ${UPLOAD}`,
    given: 'an upload',
    headers: { 'Content-Range': '0-9' },
    body: 'hello',
    ...WRONG_SIZE,
  },
  UNSUPPORTED: { request: 'DELETE /v2/', ...notAllowed('GET, HEAD') },
  TAG_INVALID: {
    request: PUT,
    given: 'an image',
    headers: OCI,
    body: image('BLOB') + ' ',
    ...TAG_EXISTS,
  },
  UNKNOWN: {
    request: 'GET /v2/REPO/tags/list',
    broken: () => sql(fixture.database.url, 'alter table tags rename to lost'),
    mended: () => sql(fixture.database.url, 'alter table lost rename to tags'),
    status: 500,
    says: /^internal server error: tell the operator the X-Request-Id of this answer$/,
    answer: { 'x-request-id': /./ },
  },
  UNAVAILABLE: {
    request: 'GET /v2/REPO/tags/list',
    broken: () => postgres.kill(),
    mended: () => postgres.start(),
    status: 503,
    says: /^the database is unavailable: try again$/,
    answer: { 'retry-after': /^\d+$/ },
  },
};

describe('every error code', () => {
  test('that the source gives has an example here', () => {
    const given = readSources().flatMap(({ text }) =>
      [...text.matchAll(/new OciError\(\s*'(\w+)'/g)].map(([, code = '']) => code),
    );
    const open = new Set(given.filter((code) => !OF_ACCESS_CONTROL.has(code)));
    expect([...open].toSorted()).toEqual(Object.keys(EXAMPLES).toSorted());
    expect(Object.keys(ERROR_CODES)).toEqual(expect.arrayContaining(given));
  });

  test.each(Object.entries(EXAMPLES))('%s', async (code, { broken, mended, ...row }) => {
    await broken?.();
    try {
      await check(fixture, { ...row, code });
    } finally {
      await mended?.();
    }
  });
});
