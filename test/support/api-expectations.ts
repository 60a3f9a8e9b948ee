import { BLOB, UPLOADS } from './api-scenes.ts';
import type { Expectation } from './api-table.ts';

/*
 * Answers that many rows of the API's table expect: errors with their sentences, and what is there after a request.
 */

export const UPLOAD = `${UPLOADS}UPLOAD`;
export const CREATED = { location: '/v2/REPO/blobs/BLOB', 'docker-content-digest': 'BLOB' };

export const NO_BLOB = {
  status: 404,
  code: 'BLOB_UNKNOWN',
  says: /^blob unknown to registry: .* push it, or mount it from/,
} as const;
export const NO_MANIFEST = {
  status: 404,
  code: 'MANIFEST_UNKNOWN',
  says: /^manifest unknown to registry: this repository does not have \S+; \/v2\/\S+\/tags\/list names/,
} as const;
export const NO_LATEST = {
  ...NO_MANIFEST,
  says: /latest means the newest immutable tag of a repository, and this one has none/,
} as const;
export const NO_REPOSITORY = {
  status: 404,
  code: 'NAME_UNKNOWN',
  says: /^repository name not known to registry: check the name/,
} as const;
export const NO_UPLOAD = {
  status: 404,
  code: 'BLOB_UPLOAD_UNKNOWN',
  says: /it ended, expired, or belongs to another repository; start a new one$/,
} as const;
export const WRONG_DIGEST = {
  status: 400,
  code: 'DIGEST_INVALID',
  says: /did not match uploaded content: \d+ bytes came, and their digest is sha\d+:[0-9a-f]+; start a new upload$/,
} as const;
export const MALFORMED_DIGEST = {
  status: 400,
  code: 'DIGEST_INVALID',
  says: /^invalid digest: write sha256: and 64, or sha512: and 128, lower-case hex digits$/,
} as const;
export const MISSING_DIGEST = {
  status: 400,
  code: 'DIGEST_INVALID',
  says: /^the digest is missing from the query: write sha256: and 64/,
} as const;
export const WRONG_SIZE = {
  status: 400,
  code: 'SIZE_INVALID',
  says: /\d+ bytes.* nothing was appended, send it again with its own length$/,
} as const;
/** A Content-Range that can't be read. */
export const MALFORMED_RANGE = {
  status: 400,
  code: 'BLOB_UPLOAD_INVALID',
  says: /^Content-Range must be FIRST-LAST, both inclusive, as in 0-1048575$/,
} as const;
export const MALFORMED_TAG = {
  status: 400,
  code: 'TAG_INVALID',
  says: /^invalid tag: .*up to 128 letters, digits, and \. _ -, the first being no \. or -$/,
} as const;
/** A read of what can't be a tag. */
export const NOT_A_TAG = {
  status: 404,
  code: 'MANIFEST_UNKNOWN',
  says: /^manifest unknown to registry: a tag has up to 128 letters, digits, and \. _ -, .*/,
} as const;
export const TAG_EXISTS = {
  status: 409,
  code: 'TAG_INVALID',
  says: /^tag already exists$/,
} as const;
export const NO_SUCH_PATH = {
  status: 404,
  code: 'UNSUPPORTED',
  says: /^there is nothing at this path: the registry has \/v2\/, .*\/v2\/TEAM\/ARTIFACT\//,
} as const;

export const IS_STORED = { request: 'GET /v2/REPO/blobs/BLOB', status: 200, content: BLOB };
export const IS_NOT_STORED = { request: 'GET /v2/REPO/blobs/BLOB', ...NO_BLOB };
export const IS_GONE = { request: `GET ${UPLOAD}`, ...NO_UPLOAD };

/** A chunk that doesn't begin where the upload ends: it tells where to go on. */
export function outOfOrder(first: number, offset: number) {
  return {
    status: 416,
    code: 'BLOB_UPLOAD_INVALID',
    says: new RegExp(
      `begins at byte ${first}, but the upload has ${offset} bytes: go on from there$`,
    ),
    answer: { location: UPLOAD, range: `0-${Math.max(0, offset - 1)}` },
  } as const;
}

/** A method that isn't there, whose answer names those that are. */
export function notAllowed(
  allow: string,
  says = new RegExp(`is not supported here: use ${allow}$`),
) {
  return { status: 405, code: 'UNSUPPORTED', says, answer: { allow } } as const;
}

/** The upload has so many bytes, and can be completed. */
export function goesOn(offset: number): Expectation[] {
  const range = { range: `0-${Math.max(0, offset - 1)}`, location: UPLOAD };
  return [
    { request: `GET ${UPLOAD}`, status: 204, answer: range },
    {
      request: `PUT ${UPLOAD}?digest=BLOB`,
      body: BLOB.slice(offset),
      status: 201,
      answer: CREATED,
    },
    IS_STORED,
  ];
}
