import type { HttpAnswer, HttpClient } from './http-client.ts';
import { digestOf, expectStatus } from './sample-content.ts';
import { sql } from './test-registry.ts';

/*
 * What can be there before a request of the API's table, and how a row's request is sent.
 */

/** The registry that a row is checked against. */
export interface Stage {
  readonly registry: { readonly api: HttpClient };
  readonly database: { readonly url: string };
}

export interface Request {
  /** Method and path, in which words stand for what differs between runs. */
  readonly request: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isChunked?: boolean;
}

/** What the words of a row stand for. */
export type Words = Record<string, string>;
type Scene = (stage: Stage, words: Words) => Promise<void>;
export type Given = keyof typeof SCENES;

export const BLOB = 'hello world';
export const UPLOADS = '/v2/REPO/blobs/uploads/';
export const OCI_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
export const IMAGE = image('BLOB');

/** The text of an image manifest, with words for its digests. */
export function image(config: string, layer = config, extra: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_TYPE,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 11 },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: 11 }],
    ...extra,
  });
}

/** The text of an index or a Docker list. */
export function index(child: string, childType = OCI_TYPE, mediaType: string = INDEX_TYPE): string {
  const manifests = [{ mediaType: childType, digest: child, size: 11 }];
  return JSON.stringify({ schemaVersion: 2, mediaType, manifests });
}

let rows = 0;

/** Each row has repositories of its own. */
export function newWords(): Words {
  rows += 1;
  return {
    REPO: `team/artifact-${rows}`,
    OTHER: `other/artifact-${rows}`,
    BLOB: digestOf(BLOB),
    BLOB512: digestOf(BLOB, 'sha512'),
    EMPTY: digestOf(''),
    ABSENT: digestOf('absent'),
  };
}

/** Each is made by requests, and may add words. */
const SCENES = {
  nothing: async () => {},
  'a blob': pushBlob('REPO', 'BLOB', BLOB),
  'a blob in OTHER': pushBlob('OTHER', 'BLOB', BLOB),
  'an empty blob': pushBlob('REPO', 'EMPTY', ''),
  'an upload': async (stage, words) => {
    const answer = await expectStatus(send(stage, words, { request: `POST ${UPLOADS}` }), 202);
    words['UPLOAD'] = answer.headers['docker-upload-uuid'] ?? '';
  },
  'an upload of 5 bytes': async (stage, words) => {
    await SCENES['an upload'](stage, words);
    const headers = { 'Content-Range': '0-4' };
    const request = { request: `PATCH ${UPLOADS}UPLOAD`, headers, body: 'hello' };
    await expectStatus(send(stage, words, request), 202);
  },
  'an upload by sha512': async (stage, words) => {
    const request = { request: `POST ${UPLOADS}?digest-algorithm=sha512` };
    const answer = await expectStatus(send(stage, words, request), 202);
    words['UPLOAD'] = answer.headers['docker-upload-uuid'] ?? '';
  },
  'a finished upload': async (stage, words) => {
    await SCENES['an upload'](stage, words);
    const request = { request: `PUT ${UPLOADS}UPLOAD?digest=BLOB`, body: BLOB };
    await expectStatus(send(stage, words, request), 201);
  },
  'an expired upload': async (stage, words) => {
    await SCENES['an upload of 5 bytes'](stage, words);
    const expire = "update uploads set expires = now() - interval '1 s' where id = $1";
    await sql(stage.database.url, expire, [words['UPLOAD']]);
  },
  'an image': pushImage('REPO', 'v1'),
  'an image in OTHER': pushImage('OTHER', 'v1'),
  'an index': async (stage, words) => {
    await SCENES['an image'](stage, words);
    const body = index('IMAGE');
    words['INDEX'] = digestOf(fill(body, words));
    const request = { request: 'PUT /v2/REPO/manifests/INDEX', body };
    await expectStatus(send(stage, words, request), 201);
  },
} as const satisfies Record<string, Scene>;

function pushBlob(repository: string, digest: string, body: string): Scene {
  const request = `POST /v2/${repository}/blobs/uploads/?digest=${digest}`;
  return async (stage, words) => {
    await expectStatus(send(stage, words, { request, body }), 201);
  };
}

function pushImage(repository: string, tag: string): Scene {
  const headers = { 'Content-Type': OCI_TYPE };
  const request = { request: `PUT /v2/${repository}/manifests/${tag}`, headers, body: IMAGE };
  return async (stage, words) => {
    await pushBlob(repository, 'BLOB', BLOB)(stage, words);
    words['IMAGE'] = digestOf(fill(IMAGE, words));
    await expectStatus(send(stage, words, request), 201);
  };
}

export function setScene(given: Given, stage: Stage, words: Words): Promise<void> {
  return SCENES[given](stage, words);
}

export function send(stage: Stage, words: Words, request: Request): Promise<HttpAnswer> {
  const { headers = {}, isChunked = false } = request;
  const body = fill(request.body ?? '', words);
  const all = withBody(words, request.body);
  const [method = '', path = ''] = fill(request.request, all).split(' ');
  const filled = Object.entries(headers).map(([name, value]) => [name, fill(value, all)]);
  const isRead = method === 'GET' || method === 'HEAD';
  return stage.registry.api.send(method, path, {
    headers: Object.fromEntries(filled),
    body: isRead ? '' : body,
    isChunked,
  });
}

/** The words of a request: those of its row, and the digests of its body. */
export function withBody(words: Words, text = ''): Words {
  const body = fill(text, words);
  return { ...words, SHA256_OF_BODY: digestOf(body), SHA512_OF_BODY: digestOf(body, 'sha512') };
}

export function fill(text: string, words: Words): string {
  return text.replace(/[A-Z][A-Z0-9_]+/g, (word) => words[word] ?? word);
}
