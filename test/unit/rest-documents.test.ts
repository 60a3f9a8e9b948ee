import { describe, expect, test } from 'vitest';
import { ENDPOINTS } from '../../src/http/rest/endpoints.ts';
import { NAMED_SCHEMAS } from '../../src/http/rest/named-schemas.ts';
import { openApiDocument } from '../../src/http/rest/openapi.ts';
import { RestDocument } from '../support/rest-documents.ts';

/*
 * The tests of the REST API hold every answer to the document by this check, so it has to find what is wrong.
 */

const document = new RestDocument(openApiDocument(ENDPOINTS, NAMED_SCHEMAS));

const TAG = {
  name: '1.0',
  created: '2016-04-01T12:00:00.000Z',
  created_by: 'anonymous',
  image: `sha256:${'0'.repeat(64)}`,
  clair_id: null,
  clair_details: null,
  severity_fix_available: null,
  severity_no_fix_available: null,
};
const TAGS = '/teams/acme/artifacts/web/tags';
const ERROR = { message: 'a sentence', details: null };

interface Case {
  readonly request: string;
  readonly status: number;
  readonly body: unknown;
  readonly type?: string;
}

function check({ request, status, body, type = 'application/json' }: Case): void {
  const [method = '', path = ''] = request.split(' ');
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { 'content-type': type };
  document.check(method, path, { status, headers, body: Buffer.from(text), lines: () => [] });
}

describe('what the document says is accepted', () => {
  test.each<Case>([
    { request: 'GET /teams', status: 200, body: ['acme'] },
    { request: 'GET /teams/', status: 200, body: [] },
    { request: 'GET /teams?limit=0', status: 400, body: ERROR },
    { request: 'GET /teams', status: 503, body: ERROR },
    { request: `GET ${TAGS}?limit=1`, status: 200, body: [TAG] },
    { request: `GET ${TAGS}`, status: 404, body: ERROR },
    { request: 'HEAD /teams', status: 200, body: undefined },
    { request: 'OPTIONS /teams', status: 200, body: undefined },
    { request: 'GET /nothing', status: 404, body: ERROR },
    { request: 'DELETE /teams', status: 405, body: ERROR },
  ])('$request → $status $body', (answer) => {
    expect(() => check(answer)).not.toThrow();
  });
});

describe('what it does not say is found', () => {
  const { name: _, ...nameless } = TAG;
  test.each<Case & { says: RegExp }>([
    { request: 'GET /nothing', status: 200, body: [], says: /no such operation/ },
    { request: 'POST /teams', status: 200, body: [], says: /no such operation/ },
    { request: 'GET /teams', status: 201, body: [], says: /no status 201/ },
    { request: 'GET /teams', status: 404, body: ERROR, says: /no status 404/ },
    { request: 'GET /teams', status: 500, body: ERROR, says: /no status 500/ },
    { request: 'GET /teams', status: 200, body: [], type: 'text/plain', says: /text\/plain/ },
    { request: 'GET /teams', status: 200, body: undefined, says: /must be array/ },
    { request: 'GET /teams', status: 200, body: {}, says: /must be array/ },
    { request: 'GET /teams', status: 200, body: [1], says: /must be string/ },
    { request: 'HEAD /teams', status: 200, body: [], says: /HEAD has a body/ },
    { request: 'OPTIONS /teams', status: 404, body: undefined, says: /preflight/ },
    { request: 'GET /teams', status: 400, body: { message: 1, details: null }, says: /string/ },
    { request: 'GET /nothing', status: 404, body: {}, says: /required property 'message'/ },
    { request: `GET ${TAGS}`, status: 200, body: [nameless], says: /required property 'name'/ },
    { request: `GET ${TAGS}`, status: 200, body: [{ ...TAG, more: 1 }], says: /additional/ },
    { request: `GET ${TAGS}`, status: 200, body: [{ ...TAG, name: null }], says: /be string/ },
    {
      request: `GET ${TAGS}`,
      status: 200,
      body: [{ ...TAG, created: '2016-04-01 12:00' }],
      says: /date-time/,
    },
    {
      request: `GET ${TAGS}`,
      status: 200,
      body: [{ ...TAG, created: '2016-04-01T12:00:00Z' }],
      says: /pattern/,
    },
  ])('$request → $status $body $type', ({ says, ...answer }) => {
    expect(() => check(answer)).toThrow(says);
  });
});
