import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRestFixture } from '../support/checked-client.ts';
import { JsonValue } from '../support/json.ts';
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

function event(kind: string, tag: string, digest: string, extra: object = {}) {
  return {
    id: 'ID',
    kind,
    team: 'TEAM',
    artifact: 'app',
    tag,
    digest,
    previous_digest: null,
    reason: null,
    uid: 'anonymous',
    happened: 'TIME',
    repetitions: 1,
    last_happened: 'TIME',
    ...extra,
  };
}

const REFUSED = event('refused', '1.0', 'OTHER', {
  previous_digest: 'FIRST',
  reason: 'tag already exists',
  repetitions: 2,
});
const REPLACED = event('replaced', '1.0-SNAPSHOT', 'SECOND', { previous_digest: 'FIRST' });

const OF_A_TAG: RestRow[] = [
  {
    request: `GET ${APP}/tags/1.0/events`,
    status: 404,
    says: /^there is no tag 1\.0 in team-\d+x\/app$/,
  },
  {
    request: `GET ${APP}/tags/1.0/events`,
    given: 'two tags',
    status: 200,
    content: [event('created', '1.0', 'FIRST')],
  },
  {
    request: `GET ${APP}/tags/1.0/events`,
    given: 'a refused push',
    note: 'repetitions are counted',
    status: 200,
    content: [event('created', '1.0', 'FIRST'), REFUSED],
  },
  {
    request: `GET ${APP}/tags/1.0-SNAPSHOT/events?order=desc`,
    given: 'a replaced snapshot',
    status: 200,
    content: [REPLACED, event('created', '1.0-SNAPSHOT', 'FIRST')],
  },
  {
    request: `GET ${APP}/tags/1.0/events?order=up`,
    status: 400,
    says: /^order: must be asc or desc$/,
  },
];

const both = [event('created', '1.0', 'FIRST'), event('created', '1.1', 'SECOND')];
const FILTERS: RestRow[] = [
  { request: 'GET /events?team=TEAM', status: 200, content: [] },
  { request: 'GET /events?team=TEAM', given: 'two tags', status: 200, content: both },
  { request: 'GET /events?team=TEAM&artifact=app', given: 'two tags', status: 200, content: both },
  { request: 'GET /events?team=TEAM&artifact=web', given: 'two tags', status: 200, content: [] },
  {
    request: 'GET /events?team=TEAM&artifact=app&tag=1.1',
    given: 'two tags',
    status: 200,
    content: [both[1]],
  },
  {
    request: 'GET /events?team=TEAM&kind=refused',
    given: 'a refused push',
    status: 200,
    content: [REFUSED],
  },
  {
    request: 'GET /events?team=TEAM&kind=replaced',
    given: 'a replaced snapshot',
    status: 200,
    content: [REPLACED],
  },
  { request: 'GET /events?team=TEAM&kind=denied', given: 'two tags', status: 200, content: [] },
  { request: 'GET /events?team=TEAM&uid=anonymous', given: 'two tags', status: 200, content: both },
  { request: 'GET /events?team=TEAM&uid=somebody', given: 'two tags', status: 200, content: [] },
  {
    request: 'GET /events?team=TEAM&since=2020-01-01T00:00:00Z&until=2120-01-01T00:00:00%2B02:00',
    given: 'two tags',
    status: 200,
    content: both,
  },
  {
    request: 'GET /events?team=TEAM&since=2120-01-01T00:00:00Z',
    given: 'two tags',
    status: 200,
    content: [],
  },
  {
    request: 'GET /events?team=TEAM&until=2020-01-01T00:00:00Z',
    given: 'two tags',
    status: 200,
    content: [],
  },
  { request: 'GET /events?artifact=app', status: 400, says: /^artifact: needs team, too$/ },
  { request: 'GET /events?team=TEAM&tag=1', status: 400, says: /^tag: needs artifact, too$/ },
  {
    request: 'GET /events?kind=made',
    status: 400,
    says: /^kind: must be one of created, replaced,/,
  },
  { request: 'GET /events?since=today', status: 400, says: /^since: must be a time such as 2016-/ },
  { request: 'GET /events?team=%00', status: 400, says: /^team: must not contain U\+0000$/ },
];

testRestRows(
  {
    'GET /teams/T/artifacts/A/tags/TAG/events: what happened to a tag': OF_A_TAG,
    'GET /events: the audit trail, filtered': FILTERS,
  },
  () => stage,
);

test('GET /events: pages go on where the last one ended, and whoever has read all is led on to what comes', async () => {
  const { api } = fixture.registry;
  const all = JsonValue.parse((await api.send('GET', '/events')).body.toString());
  const ids: string[] = [];
  let path: string | undefined = '/events?limit=7';
  let last = path;
  while (path !== undefined) {
    last = path;
    const page = await api.send('GET', path);
    ids.push(...JsonValue.parse(page.body.toString()).items.map((item) => item.at('id').text));
    path = /^<(.+)>; rel="next"$/.exec(page.headers['link'] ?? '')?.[1];
  }
  expect(ids).toEqual(all.items.map((item) => item.at('id').text));
  expect(ids.length).toBeGreaterThan(14);
  expect(JsonValue.parse((await api.send('GET', last)).body.toString()).items).toEqual([]);
});
