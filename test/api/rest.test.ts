import { afterAll, beforeAll } from 'vitest';
import { openRestFixture } from '../support/checked-client.ts';
import { type RestRow, type RestStage, testRestRows } from '../support/rest-table.ts';
import type { RegistryFixture } from '../support/test-registry.ts';

let fixture: RegistryFixture;
let stage: RestStage;

beforeAll(async () => {
  fixture = await openRestFixture();
  stage = { api: fixture.registry.api };
});

afterAll(() => fixture?.close());

const APP = '/teams/TEAM/artifacts/app';

/** As the original writes it. */
function summary(name: string, image: string) {
  return {
    name,
    created: 'TIME',
    created_by: 'anonymous',
    image,
    clair_id: null,
    clair_details: null,
    severity_fix_available: null,
    severity_no_fix_available: null,
  };
}

const NO_TAGS = {
  status: 404,
  says: /^team-\d+x\/app has no tags, or does not exist: GET \/teams/,
};
const NO_ARTIFACT = { status: 404, says: /^there is no such artifact: GET \/teams/ };
const NO_TAG = { status: 404, says: /^there is no tag \S+ in team-\d+x\/app$/ };
const NO_LATEST = {
  status: 404,
  says: /^latest means the newest immutable tag, and there is none in /,
};
const NOT_A_TAG = { status: 404, says: /^a tag has up to 128 letters/ };

const ARTIFACTS: RestRow[] = [
  { request: 'GET /teams/TEAM/artifacts', status: 200, content: [] },
  { request: 'GET /teams/TEAM/artifacts/', status: 200, content: [] },
  { request: 'GET /teams/No%20Team/artifacts', status: 200, content: [] },
  {
    request: 'GET /teams/TEAM/artifacts',
    given: 'several artifacts',
    status: 200,
    content: ['a.b', 'a/b', 'web'],
  },
  {
    request: 'GET /teams/TEAM/artifacts',
    given: 'an untagged image',
    status: 200,
    content: ['app'],
  },
  { request: 'GET /teams/TEAM/artifacts', given: 'a signature alone', status: 200, content: [] },
];

const TAGS: RestRow[] = [
  { request: `GET ${APP}/tags?order=up`, status: 400, says: /^order: must be asc or desc$/ },
  { request: `GET ${APP}/tags`, ...NO_TAGS },
  { request: 'GET /teams/TEAM/artifacts/No/tags', ...NO_ARTIFACT },
  { request: 'GET /teams/TEAM/artifacts/a%2F/tags', ...NO_ARTIFACT },
  { request: 'GET /teams/TEAM%2Fa/artifacts/b/tags', given: 'several artifacts', ...NO_ARTIFACT },
  {
    request: 'GET /teams/TEAM/artifacts/untagged/tags',
    given: 'an untagged image',
    status: 404,
    says: /has no tags/,
  },
  {
    request: `GET ${APP}/tags`,
    given: 'two tags and a snapshot',
    note: 'oldest first',
    status: 200,
    content: [
      summary('1.0', 'FIRST_CONFIG'),
      summary('1.1', 'SECOND_CONFIG'),
      summary('2.0-SNAPSHOT', 'THIRD_CONFIG'),
    ],
  },
  {
    request: `GET ${APP}/tags?order=desc`,
    given: 'two tags and a snapshot',
    note: 'newest first',
    status: 200,
    content: [
      summary('2.0-SNAPSHOT', 'THIRD_CONFIG'),
      summary('1.1', 'SECOND_CONFIG'),
      summary('1.0', 'FIRST_CONFIG'),
    ],
  },
  {
    request: `GET ${APP}/tags?order=desc&limit=2`,
    given: 'two tags and a snapshot',
    status: 200,
    content: [summary('2.0-SNAPSHOT', 'THIRD_CONFIG'), summary('1.1', 'SECOND_CONFIG')],
    answer: { link: /^<\/teams\/[^>]*order=desc[^>]*>; rel="next"$/ },
  },
  {
    request: `GET ${APP}/tags?order=desc&all=true&limit=1`,
    given: 'two tags and a signature',
    status: 200,
    content: [summary('SIGNATURE', 'SIGNED_CONFIG')],
  },
  {
    request: 'GET /teams/TEAM/artifacts/a%2Fb/tags',
    given: 'several artifacts',
    status: 200,
    content: [summary('1.0', 'DEEP_CONFIG')],
  },
  {
    request: `GET ${APP}/tags`,
    given: 'an index',
    status: 200,
    content: [
      summary('1.0', 'FIRST_CONFIG'),
      summary('1.1', 'SECOND_CONFIG'),
      summary('multi', 'INDEX'),
    ],
  },
  {
    request: `GET ${APP}/tags`,
    given: 'two tags and a signature',
    status: 200,
    content: [summary('1.0', 'FIRST_CONFIG'), summary('1.1', 'SECOND_CONFIG')],
  },
  {
    request: `GET ${APP}/tags?all=true`,
    given: 'two tags and a signature',
    status: 200,
    content: [
      summary('1.0', 'FIRST_CONFIG'),
      summary('1.1', 'SECOND_CONFIG'),
      summary('SIGNATURE', 'SIGNED_CONFIG'),
    ],
  },
  { request: `GET ${APP}/tags`, given: 'a signature alone', ...NO_TAGS },
  { request: `GET ${APP}/tags?all=yes`, status: 400, says: /^all: must be true or false$/ },
];

function details(name: string, word: string, extra: object = {}) {
  return {
    ...summary(name, `${word}_CONFIG`),
    team: 'TEAM',
    artifact: 'app',
    digest: word,
    media_type: 'application/vnd.oci.image.manifest.v1+json',
    size: 18,
    mutability: 'immutable',
    platforms: [{ os: 'linux', architecture: 'arm64', variant: 'v8' }],
    scm_source: null,
    scm_source_problem: null,
    referrers: [],
    ...extra,
  };
}

const ONE_TAG: RestRow[] = [
  { request: `GET ${APP}/tags/1.0`, ...NO_TAG },
  { request: `GET ${APP}/tags/1.2`, given: 'two tags', ...NO_TAG },
  { request: `GET ${APP}/tags/-a`, given: 'two tags', ...NOT_A_TAG },
  {
    request: `GET ${APP}/tags/1.0`,
    given: 'two tags',
    status: 200,
    content: details('1.0', 'FIRST'),
  },
  {
    request: `GET ${APP}/tags/latest`,
    given: 'two tags and a snapshot',
    note: 'the newest immutable one',
    status: 200,
    content: details('1.1', 'SECOND'),
  },
  { request: `GET ${APP}/tags/latest`, given: 'a snapshot alone', ...NO_LATEST },
  {
    request: `GET ${APP}/tags/1.0-SNAPSHOT`,
    given: 'a snapshot alone',
    status: 200,
    content: details('1.0-SNAPSHOT', 'FIRST', { mutability: 'mutable' }),
  },
  {
    request: `GET ${APP}/tags/multi`,
    given: 'an index',
    note: 'each layer counted once',
    status: 200,
    content: details('multi', 'INDEX', {
      image: 'INDEX',
      media_type: 'application/vnd.oci.image.index.v1+json',
      platforms: [{ os: 'linux', architecture: 'amd64' }],
    }),
  },
  {
    request: `GET ${APP}/tags/1.0`,
    given: 'a referrer',
    status: 200,
    contains: {
      referrers: [
        {
          digest: 'REFERRER',
          media_type: 'application/vnd.oci.image.manifest.v1+json',
          artifact_type: 'application/vnd.example.signature',
        },
      ],
    },
  },
];

const SOURCE: RestRow[] = [
  { request: `GET ${APP}/tags/1.0/scm-source`, ...NO_TAG },
  {
    request: `GET ${APP}/tags/1.0/scm-source`,
    given: 'two tags',
    status: 404,
    says: /^the source of team-\d+x\/app:1\.0 is not known: (it has no scm-source\.json|its layers are still being looked into, ask again)$/,
  },
];

const NOT_CONFIGURED = { message: 'Clair integration not configured, not doing anything' };
const RECHECKS: RestRow[] = [
  { request: `POST ${APP}/tags/1.0/recheck`, ...NO_TAG },
  ...['1.0', 'latest'].map(
    (tag): RestRow => ({
      request: `POST ${APP}/tags/${tag}/recheck`,
      given: 'two tags',
      status: 200,
      content: NOT_CONFIGURED,
    }),
  ),
  { request: `POST ${APP}/recheck`, status: 200, content: NOT_CONFIGURED },
  {
    request: `GET ${APP}/recheck`,
    status: 405,
    says: /^GET is not supported here: use POST, OPTIONS$/,
    answer: { allow: 'POST, OPTIONS' },
  },
];

const NO_IMAGE = { status: 404, says: /^no image with a tag has a digest that begins with / };
const AMBIGUOUS = { status: 412, says: /^more than one image .*: give more of its digits$/ };
const found = (...names: string[]) =>
  names.map((name) => ({ name, team: 'TEAM', artifact: 'app' }));
const IMAGES: RestRow[] = [
  ...['asdfa', '0000000000000000', 'sha256:0000000000', '%25', '_', 'sha2%25', 'SHA256:ab'].map(
    (image): RestRow => ({ request: `GET /tags/${image}`, given: 'two tags', ...NO_IMAGE }),
  ),
  ...['FIRST', 'FIRST[7,71]', 'FIRST[0,19]', 'FIRST_CONFIG', 'FIRST_CONFIG[7,19]'].map(
    (image): RestRow => ({
      request: `GET /tags/${image}`,
      given: 'two tags',
      status: 200,
      content: found('1.0'),
    }),
  ),
  ...['FIRST', 'FIRST_CONFIG[7,19]'].map(
    (image): RestRow => ({
      request: `GET /tags/${image}`,
      given: 'an index',
      note: 'also as a child of the index',
      status: 200,
      content: found('1.0', 'multi'),
    }),
  ),
  {
    request: 'GET /tags/INDEX[7,19]',
    given: 'an index',
    status: 200,
    content: found('multi'),
  },
  { request: 'GET /tags/sha256:', given: 'two tags', ...AMBIGUOUS },
  { request: 'GET /tags/UNTAGGED', given: 'an untagged image', ...NO_IMAGE },
  { request: 'GET /tags/SIGNED', given: 'two tags and a signature', ...NO_IMAGE },
  {
    request: 'GET /tags/SIGNED?all=true',
    given: 'two tags and a signature',
    status: 200,
    content: found('SIGNATURE'),
  },
  { request: 'GET /tags/FIRST', given: 'a replaced snapshot', ...NO_IMAGE },
];

const CALLER: RestRow[] = [
  {
    request: 'GET /whoami',
    status: 200,
    content: {
      uid: 'anonymous',
      realm: null,
      issuer: null,
      scopes: [],
      teams: [],
      push_teams: ['*'],
    },
  },
];

testRestRows(
  {
    'GET /teams/T/artifacts: those with a tag, none for an unknown team': ARTIFACTS,
    'GET /teams/T/artifacts/A/tags: by age, signature tags left out': TAGS,
    'GET /teams/T/artifacts/A/tags/TAG: all that is known': ONE_TAG,
    'GET /teams/T/artifacts/A/tags/TAG/scm-source': SOURCE,
    'POST recheck: says that nothing checks': RECHECKS,
    'GET /tags/IMAGE: the tags of one image': IMAGES,
    'GET /whoami: nobody in particular, where nothing is protected': CALLER,
  },
  () => stage,
);
