import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessScene, APP, basic, bearer, openAccessScene } from '../support/access-scene.ts';
import {
  ACCESS_TABLE,
  ASKERS,
  type Asker,
  type AskerName,
  SITUATIONS,
  type SituationName,
} from '../support/access-table.ts';
import { errorCodeOf, type HttpAnswer } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  randomSample,
  type Sample,
} from '../support/sample-content.ts';
import { sql, type TestRegistry } from '../support/test-registry.ts';

/*
 * Who may do what, as clients see it: by their own credential, and by a registry token that they get for it.
 */

const CODES: Readonly<Record<string, string>> = { 401: 'UNAUTHORIZED', 403: 'DENIED' };
const SOURCE = { 'X-SCM-Source': '{"url":"git:x","revision":"1","author":"a","status":""}' };

let scene: AccessScene;
let registries: Readonly<Record<SituationName, TestRegistry>>;
let image: Sample;

beforeAll(async () => {
  scene = await openAccessScene();
  const { HTTP_TOKENINFO_URL, HTTP_IIDINFO_URL } = scene.provider.environment;
  registries = {
    closed: await scene.start({ HTTP_AUTH_CHALLENGE: 'bearer' }),
    public: await scene.start({ HTTP_ALLOW_PUBLIC_READ: 'true' }),
    teamless: await scene.startWith({ HTTP_TOKENINFO_URL, HTTP_IIDINFO_URL }),
  };
  image = await pushImage();
});

afterAll(() => scene?.close());

async function pushImage(): Promise<Sample> {
  const { api } = registries.closed;
  const headers = bearer(scene.provider.issueToken('stups_robot'));
  const config = randomSample(100);
  const path = `/v2/${APP}/blobs/uploads/?digest=${config.digest}`;
  await expectStatus(api.send('POST', path, { headers, body: config.bytes }), 201);
  const pushed = imageOf(config);
  const type = { 'Content-Type': OCI_MANIFEST };
  const put = { headers: { ...headers, ...type }, body: pushed.bytes };
  await expectStatus(api.send('PUT', `/v2/${APP}/manifests/1.0`, put), 201);
  return pushed;
}

/** The credential of an asker, as the header that carries it. */
function credentialOf(name: AskerName): Readonly<Record<string, string>> {
  const { provider } = scene;
  const asker: Asker = ASKERS[name];
  if (asker.kind === 'anonymous') return {};
  if (asker.kind === 'instance') {
    return basic('instance-identity-document', provider.addInstance());
  }
  const uid = `stups_${name.replaceAll(/\W+/g, '-')}`;
  const { realm, scopes = [], isInTeam = false } = asker;
  if (realm === 'services') provider.addService({ uid, ...(isInTeam && { team: 'acme' }) });
  else provider.addEmployee({ uid, teams: isInTeam ? ['acme'] : [] });
  const claims = { realm: realm && `/${realm}` };
  return bearer(provider.issueToken(uid, { scopes, claims }));
}

interface ApiRequest {
  readonly action: 'pull' | 'push' | 'source';
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

const REQUESTS: readonly ApiRequest[] = [
  { action: 'pull', method: 'GET', path: `/v2/${APP}/manifests/1.0`, status: 200 },
  { action: 'push', method: 'POST', path: `/v2/${APP}/blobs/uploads/`, status: 202 },
  { action: 'push', method: 'POST', path: '/v2/other/app/blobs/uploads/', status: 202 },
  { action: 'source', method: 'PUT', path: `/v2/${APP}/manifests/1.0`, status: 201 },
];

function send(
  { api }: TestRegistry,
  { action, method, path }: ApiRequest,
  credential: Readonly<Record<string, string>>,
): Promise<HttpAnswer> {
  if (action !== 'source') return api.send(method, path, { headers: credential });
  const headers = { ...credential, ...SOURCE, 'Content-Type': OCI_MANIFEST };
  return api.send(method, path, { headers, body: image.bytes });
}

function check(answer: HttpAnswer, expected: string, { status }: ApiRequest): void {
  if (expected === 'ok') {
    expect(answer.status).toBe(status);
    return;
  }
  expect([answer.status, errorCodeOf(answer)]).toEqual([Number(expected), CODES[expected]]);
  const { message } = JSON.parse(answer.body.toString()).errors[0];
  expect(message).toMatch(/^.{20,}$/);
  expect(answer.headers['www-authenticate'] === undefined).toBe(expected === '403');
}

const cases = ACCESS_TABLE.flatMap(([asker, situation, ...expected]) =>
  REQUESTS.map((request, n) => ({ asker, situation, request, expected: expected[n] ?? '' })),
);

describe('by its own credential', () => {
  test.each(cases)(
    '$asker, $situation: $request.method $request.path ($request.action) is $expected',
    async (row) => {
      const registry = registries[row.situation];
      const answer = await send(registry, row.request, credentialOf(row.asker));
      check(answer, row.expected, row.request);
      const isOpen = SITUATIONS[row.situation].allowsPublicRead;
      expect(answer.headers['vary']).toBe('Authorization');
      if (row.request.action === 'pull' && row.expected === 'ok') {
        expect(answer.headers['cache-control']).toBe('no-cache');
        const byDigest = { ...row.request, path: `/v2/${APP}/manifests/${image.digest}` };
        const { headers } = await send(registry, byDigest, credentialOf(row.asker));
        expect(headers['cache-control']?.startsWith('private')).toBe(!isOpen);
      }
    },
  );
});

describe('by a registry token', () => {
  const known = cases.filter(
    ({ situation, asker }) => situation === 'public' || asker !== 'nobody',
  );

  test.each(known)(
    '$asker, $situation: $request.method $request.path ($request.action) is $expected',
    async (row) => {
      const registry = registries[row.situation];
      const [, name = ''] = /^\/v2\/([^/]+\/[^/]+)\//.exec(row.request.path) ?? [];
      const path = `/token?service=pierone&scope=repository:${name}:pull,push`;
      const { body } = await expectStatus(
        registry.api.send('GET', path, { headers: credentialOf(row.asker) }),
        200,
      );
      const token = JsonValue.parse(body.toString()).at('token').text;
      check(await send(registry, row.request, bearer(token)), row.expected, row.request);
    },
  );

  test('of another repository gives no more than nobody has', async () => {
    const registry = registries.closed;
    const headers = credentialOf('service, trusted');
    const path = '/token?service=pierone&scope=repository:acme/elsewhere:pull,push';
    const { body } = await expectStatus(registry.api.send('GET', path, { headers }), 200);
    const token = JsonValue.parse(body.toString()).at('token').text;
    for (const request of REQUESTS) {
      const answer = await send(registry, request, bearer(token));
      check(answer, '401', request);
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
    }
  });
});

describe('every refusal of a push is in the audit trail', () => {
  test('with who, where and why; repeated ones are counted', async () => {
    const { api } = registries.closed;
    const headers = bearer(scene.provider.issueToken('eve'));
    const before = await deniedOf('eve');
    expect(before).toEqual([]);
    for (let n = 0; n < 3; n += 1) await api.send('POST', `/v2/${APP}/blobs/uploads/`, { headers });
    await api.send('PUT', `/v2/${APP}/manifests/2.0`, { headers, body: '{}' });
    expect(await deniedOf('eve')).toEqual([
      { repository: APP, tag: null, realm: 'employees', repetitions: 3 },
      { repository: APP, tag: '2.0', realm: 'employees', repetitions: 1 },
    ]);
  });

  function deniedOf(uid: string) {
    return sql(
      scene.database.url,
      `select repository, tag, realm, repetitions from tag_events
       where kind = 'denied' and uid = $1 and reason like '%not in the team acme%' order by id`,
      [uid],
    );
  }
});

describe('a refused login', () => {
  test('too often is 429, and others from there go on', async () => {
    const { api } = registries.closed;
    const headers = bearer('0123456789-wrong');
    const answers: number[] = [];
    for (let n = 0; n < 12; n += 1) {
      answers.push((await api.send('GET', '/v2/', { headers })).status);
    }
    expect(answers.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
    const last = await api.send('GET', '/v2/', { headers });
    expect([last.status, errorCodeOf(last)]).toEqual([429, 'TOOMANYREQUESTS']);
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    await expectStatus(api.send('GET', '/v2/', { headers: credentialOf('member') }), 200);
  });
});

describe('GET /v2/ and lists', () => {
  // biome-ignore format: a table is read by its columns
  test.each<[AskerName, SituationName, number, number]>([
    //                      /v2/ _catalog
    ['nobody',   'closed',  401, 401],
    ['nobody',   'public',  401, 200],
    ['machine',  'closed',  200, 200],
    ['stranger', 'closed',  200, 200],
    ['stranger', 'public',  200, 200],
  ])('%s, %s', async (asker, situation, base, catalog) => {
    const { api } = registries[situation];
    const headers = credentialOf(asker);
    expect((await api.send('GET', '/v2/', { headers })).status).toBe(base);
    expect((await api.send('GET', '/v2/_catalog', { headers })).status).toBe(catalog);
  });

  test('ask to log in as the operator chose', async () => {
    const challengeOf = async ({ api }: TestRegistry, path: string) =>
      (await api.send('GET', path)).headers['www-authenticate'];
    expect(await challengeOf(registries.teamless, '/v2/')).toBe(
      'Basic realm="Pier One Docker Registry"',
    );
    const { closed } = registries;
    const bearerChallenge = `Bearer realm="${closed.url}/token",service="pierone"`;
    expect(await challengeOf(closed, '/v2/')).toBe(bearerChallenge);
    const manifest = await challengeOf(registries.closed, `/v2/${APP}/manifests/1.0`);
    expect(manifest).toContain(`scope="repository:${APP}:pull"`);
    expect(await challengeOf(registries.closed, '/v2/_catalog')).toContain(
      'scope="registry:catalog:*"',
    );
  });
});

describe('a mount', () => {
  test('needs a token that may pull from the source', async () => {
    const { api } = registries.closed;
    const headers = credentialOf('service, write_all');
    const config = randomSample(50);
    const start = '/v2/acme/source/blobs/uploads/';
    const upload = { headers, body: config.bytes };
    await expectStatus(api.send('POST', `${start}?digest=${config.digest}`, upload), 201);
    const mountWith = async (scopes: readonly string[]) => {
      const query = scopes.map((scope) => `scope=${scope}`).join('&');
      const { body } = await expectStatus(api.send('GET', `/token?${query}`, { headers }), 200);
      const token = JsonValue.parse(body.toString()).at('token').text;
      const path = `/v2/acme/target/blobs/uploads/?mount=${config.digest}&from=acme/source`;
      return (await api.send('POST', path, { headers: bearer(token) })).status;
    };
    const target = 'repository:acme/target:pull,push';
    expect(await mountWith([target])).toBe(202);
    expect(await mountWith([target, 'repository:acme/source:pull'])).toBe(201);
  });
});
