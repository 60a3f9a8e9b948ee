import { expect, test } from 'vitest';
import { errorCodeOf, type HttpAnswer, type HttpClient } from './http-client.ts';
import { digestOf, expectStatus } from './sample-content.ts';

/*
 * A table of the API: each row is a request, what was there before, and the answer. Words in capital letters stand
 * for what differs between runs: REPO and OTHER (repositories of the row's own), BLOB (the digest of "hello world"),
 * BLOB512, UPLOAD (an id), IMAGE (the digest of a manifest), ABSENT (a digest of nothing that exists), SHA256_OF_BODY,
 * SHA512_OF_BODY (a GET sends no body: there it only says which digests are meant).
 */

export interface Expectation {
  readonly request: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isChunked?: boolean;
  readonly status: number;
  /** The code of the error body. */
  readonly code?: string;
  /** Headers of the answer; undefined: it must not have it. */
  readonly answer?: Readonly<Record<string, string | RegExp | undefined>>;
  /** The body of the answer; an object: as JSON. */
  readonly content?: string | object;
}

export interface Row extends Expectation {
  readonly given?: Given;
  /** What makes the row differ from others with the same request. */
  readonly note?: string;
  readonly after?: readonly Expectation[];
}

export type Given = keyof typeof SCENES;
type Words = Record<string, string>;

export const BLOB = 'hello world';
export const IMAGE = image('BLOB');
const BLOB_DIGEST = digestOf(BLOB);
const UPLOADS = '/v2/REPO/blobs/uploads/';

/** The text of an image manifest, with words for its digests. */
export function image(config: string, layer = config, extra: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 11 },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: 11 }],
    ...extra,
  });
}

/** What can be there before a request; each makes it by requests, and adds words. */
const SCENES = {
  nothing: async () => {},
  'a blob': async (api: HttpClient, words: Words) => {
    const path = `${UPLOADS}?digest=BLOB`;
    await expectStatus(send(api, words, { request: `POST ${path}`, body: BLOB }), 201);
  },
  'a blob in OTHER': async (api: HttpClient, words: Words) => {
    const path = '/v2/OTHER/blobs/uploads/?digest=BLOB';
    await expectStatus(send(api, words, { request: `POST ${path}`, body: BLOB }), 201);
  },
  'an empty blob': async (api: HttpClient, words: Words) => {
    words['EMPTY'] = digestOf('');
    await expectStatus(send(api, words, { request: `POST ${UPLOADS}?digest=EMPTY` }), 201);
  },
  'an upload': async (api: HttpClient, words: Words) => {
    const answer = await expectStatus(send(api, words, { request: `POST ${UPLOADS}` }), 202);
    words['UPLOAD'] = answer.headers['docker-upload-uuid'] ?? '';
  },
  'an upload of 5 bytes': async (api: HttpClient, words: Words) => {
    await SCENES['an upload'](api, words);
    await expectStatus(
      send(api, words, {
        request: `PATCH ${UPLOADS}UPLOAD`,
        headers: { 'Content-Range': '0-4' },
        body: 'hello',
      }),
      202,
    );
  },
  'a finished upload': async (api: HttpClient, words: Words) => {
    await SCENES['an upload'](api, words);
    const request = `PUT ${UPLOADS}UPLOAD?digest=BLOB`;
    await expectStatus(send(api, words, { request, body: BLOB }), 201);
  },
  'an image': async (api: HttpClient, words: Words) => {
    await SCENES['a blob'](api, words);
    words['IMAGE'] = digestOf(fill(IMAGE, words));
    const request = 'PUT /v2/REPO/manifests/v1';
    await expectStatus(send(api, words, { request, headers: OCI, body: IMAGE }), 201);
  },
} as const;

const OCI = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };

let rows = 0;

/** A test for each row; `api` is asked for when it runs. */
export function testRows(table: readonly Row[], api: () => HttpClient): void {
  for (const row of table) test(titleOf(row), () => check(api(), row));
}

function titleOf({ request, given = 'nothing', note, status, code }: Row): string {
  return [request, `given ${given}`, note, `→ ${status}`, code].filter(Boolean).join(' ');
}

/** Runs a row, and its request as HEAD if it is a GET: HEAD is answered as GET, without a body. */
export async function check(api: HttpClient, row: Row): Promise<void> {
  rows += 1;
  const words: Words = {
    REPO: `team/artifact-${rows}`,
    OTHER: `other/artifact-${rows}`,
    BLOB: BLOB_DIGEST,
    BLOB512: digestOf(BLOB, 'sha512'),
    ABSENT: digestOf('absent'),
  };
  await SCENES[row.given ?? 'nothing'](api, words);
  for (const expectation of [row, ...(row.after ?? [])]) {
    await checkOne(api, words, expectation);
  }
}

async function checkOne(api: HttpClient, words: Words, expectation: Expectation): Promise<void> {
  const answer = await send(api, words, expectation);
  const { status, code, answer: headers = {}, content } = expectation;
  const all = withBody(words, expectation.body);
  const shown = { status: answer.status, body: answer.body.toString().slice(0, 500) };
  expect(shown, expectation.request).toMatchObject({ status });
  expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0');
  for (const [name, wanted] of Object.entries(headers)) {
    const given = answer.headers[name];
    if (wanted instanceof RegExp) expect(given, name).toMatch(wanted);
    else expect(given, name).toBe(wanted === undefined ? undefined : fill(wanted, all));
  }
  if (status >= 400) checkError(answer, code);
  if (typeof content === 'string') expect(answer.body.toString()).toBe(fill(content, words));
  else if (content) {
    expect(JSON.parse(answer.body.toString())).toEqual(JSON.parse(fillJson(content, words)));
  }
  if (expectation.request.startsWith('GET ')) await checkHead(api, words, expectation, answer);
}

function checkError(answer: HttpAnswer, code: string | undefined): void {
  expect(answer.headers['content-type']).toBe('application/json');
  expect(errorCodeOf(answer)).toBe(code);
  expect(answer.headers['cache-control']).toBe('no-store');
}

async function checkHead(api: HttpClient, words: Words, expectation: Expectation, got: HttpAnswer) {
  // A Range is defined for GET alone (RFC 9110, section 14.2).
  if (expectation.headers?.['Range'] !== undefined) return;
  const request = expectation.request.replace(/^GET/, 'HEAD');
  const head = await send(api, words, { ...expectation, request });
  expect(head.body.length, request).toBe(0);
  expect({ ...head, headers: comparable(head) }, request).toEqual({
    ...got,
    headers: comparable(got),
    body: head.body,
  });
  // The sentence of an error may name the method.
  if (got.status === 200) expect(head.headers['content-length']).toBe(String(got.body.length));
}

function comparable({ headers }: HttpAnswer) {
  const { date: _, 'x-request-id': __, 'content-length': ___, ...rest } = headers;
  return rest;
}

function send(
  api: HttpClient,
  words: Words,
  request: Omit<Expectation, 'status'>,
): Promise<HttpAnswer> {
  const { headers = {}, isChunked = false } = request;
  const body = fill(request.body ?? '', words);
  const all = withBody(words, request.body);
  const [method = '', path = ''] = fill(request.request, all).split(' ');
  const filled = Object.entries(headers).map(([name, value]) => [name, fill(value, words)]);
  const isRead = method === 'GET' || method === 'HEAD';
  return api.send(method, path, {
    headers: Object.fromEntries(filled),
    body: isRead ? '' : body,
    isChunked,
  });
}

/** The words of a request: those of its row, and the digests of its body. */
function withBody(words: Words, text = ''): Words {
  const body = fill(text, words);
  return { ...words, SHA256_OF_BODY: digestOf(body), SHA512_OF_BODY: digestOf(body, 'sha512') };
}

function fill(text: string, words: Words): string {
  return text.replace(/[A-Z][A-Z0-9_]+/g, (word) => words[word] ?? word);
}

function fillJson(value: object, words: Words): string {
  return fill(JSON.stringify(value), words);
}
