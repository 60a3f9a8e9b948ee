import { digestOf, imageOf, indexOf, OCI_INDEX, OCI_MANIFEST } from '../sample-content.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Scene } from './scene.ts';
import type { Pair, WireRequest } from './wire-request.ts';

type Maker = (random: SeededRandom, scene: Scene) => WireRequest;

const OCTETS: Pair = ['Content-Type', 'application/octet-stream'];
const ACCEPT: Pair = ['Accept', `${OCI_MANIFEST}, ${OCI_INDEX}, */*`];
const NEW_TAGS = 100;
const NEW_BLOBS = 100;

function read(path: string, query: readonly Pair[] = [], headers: readonly Pair[] = []) {
  return (random: SeededRandom): WireRequest =>
    request(random.isIn(70) ? 'GET' : 'HEAD', path, query, headers);
}

function request(
  method: string,
  path: string,
  query: readonly Pair[] = [],
  headers: readonly Pair[] = [],
  body?: Buffer,
): WireRequest {
  const segments = path.split('/').slice(1);
  const all: Pair[] = [['Host', 'registry.example'], ...headers];
  const content = body ?? Buffer.alloc(0);
  // Some clients announce that there is no body (RFC 9110, section 8.6), some don't.
  const framing = body ? 'Content-Length' : 'none';
  return { method, segments, query, headers: all, body: content, framing };
}

/** Sent with Content-Length or in chunks, as clients do both. */
function inAnyFraming(random: SeededRandom, made: WireRequest): WireRequest {
  return random.isIn(50) ? { ...made, framing: 'chunked' } : made;
}

/** Few different ones, so that the registry's memory and disk don't fill because of the test alone. */
function newBlob(random: SeededRandom): Buffer {
  const number = random.integer(1, NEW_BLOBS);
  return Buffer.alloc(number % 10 === 0 ? 60_000 : number * 13, `blob ${number}`);
}

function tagOf(random: SeededRandom, { tags }: Scene): string {
  const known = random.pick([...tags.keys(), 'latest']);
  return random.isIn(60)
    ? known
    : `t${random.integer(1, NEW_TAGS)}${random.pick(['', '-SNAPSHOT'])}`;
}

const getList: Maker = (random, { repositories, tags }) => {
  const page: Pair[] = [
    ['n', String(random.integer(0, 20))],
    ['last', random.pick([...tags.keys(), ...repositories])],
  ];
  const path = random.isIn(40) ? '/v2/_catalog' : `/v2/${random.pick(repositories)}/tags/list`;
  return read(path, page.slice(random.integer(0, 2)))(random);
};

const getManifest: Maker = (random, scene) => {
  const { images, index, signature, repository } = scene;
  const { digest } = random.pick([...images, index, signature]);
  const reference = random.isIn(50) ? digest : tagOf(random, scene);
  const condition: Pair[] = random.isIn(30) ? [['If-None-Match', `"${digest}"`]] : [];
  return read(`/v2/${repository}/manifests/${reference}`, [], [ACCEPT, ...condition])(random);
};

const getBlob: Maker = (random, { repository, blobs }) => {
  const { digest, bytes } = random.pick(blobs);
  const first = random.integer(0, bytes.length);
  const range: Pair = ['Range', `bytes=${first}-${random.isIn(50) ? first + 10 : ''}`];
  const condition: Pair = ['If-None-Match', `"${digest}"`];
  const headers = random.isIn(50) ? [range] : [condition];
  const path = `/v2/${repository}/blobs/${digest}`;
  return read(path, [], random.isIn(70) ? headers : [])(random);
};

const getReferrers: Maker = (random, { repository, images, signature }) => {
  const query: Pair[] = [['artifactType', 'application/vnd.example.signature']];
  const { digest } = random.pick([...images, signature]);
  return read(`/v2/${repository}/referrers/${digest}`, random.isIn(50) ? query : [])(random);
};

const startUpload: Maker = (random, { repositories, repository, blobs }) => {
  const path = `/v2/${random.pick(repositories)}/blobs/uploads/`;
  const body = newBlob(random);
  const mount: Pair[] = [
    ['mount', random.pick(blobs).digest],
    ['from', repository],
  ];
  switch (random.integer(1, 3)) {
    case 1:
      return request('POST', path, [], [], Buffer.alloc(0));
    case 2:
      return request('POST', path, mount, [], Buffer.alloc(0));
    default:
      return inAnyFraming(
        random,
        request('POST', path, [['digest', digestOf(body)]], [OCTETS], body),
      );
  }
};

const useUpload: Maker = (random, { uploads }) => {
  const path = random.pick(uploads);
  const body = newBlob(random);
  const range: Pair = ['Content-Range', `0-${body.length - 1}`];
  const digest: Pair = ['digest', digestOf(body)];
  const isEmpty = random.isIn(30);
  switch (random.integer(1, 10)) {
    case 1:
    case 2:
      return read(path)(random);
    case 3:
      return request('DELETE', path);
    case 4:
    case 5:
      return inAnyFraming(random, request('PATCH', path, [], [OCTETS], body));
    case 6:
    case 7:
      return inAnyFraming(random, request('PATCH', path, [], [OCTETS, range], body));
    default:
      return inAnyFraming(
        random,
        request('PUT', path, [digest], [OCTETS], isEmpty ? Buffer.alloc(0) : body),
      );
  }
};

const putManifest: Maker = (random, scene) => {
  const { blobs, images, repositories } = scene;
  const [config] = blobs;
  const note = `pushed ${random.integer(1, 50)}`;
  const isIndex = random.isIn(30) || config === undefined;
  const manifest = isIndex ? indexOf(images, note) : imageOf(config, blobs.slice(1, 3), note);
  const reference = random.isIn(40) ? manifest.digest : tagOf(random, scene);
  const tags: Pair[] = random.isIn(20) ? [['tag', tagOf(random, scene)]] : [];
  const repository = random.isIn(80) ? scene.repository : random.pick(repositories);
  const path = `/v2/${repository}/manifests/${reference}`;
  const type: Pair = ['Content-Type', isIndex ? OCI_INDEX : OCI_MANIFEST];
  return inAnyFraming(random, request('PUT', path, tags, [type], manifest.bytes));
};

const deleteContent: Maker = (random, scene) => {
  const { repository, blobs, images } = scene;
  const manifest = `manifests/${random.isIn(50) ? random.pick(images).digest : tagOf(random, scene)}`;
  const path = random.isIn(50) ? manifest : `blobs/${random.pick(blobs).digest}`;
  return request('DELETE', `/v2/${repository}/${path}`);
};

const elsewhere: Maker = (random) =>
  read(random.pick(['/', '/v1/_ping', '/metrics', '/favicon.ico', '/v2', '/v3/']))(random);

/** What isn't below /v2/. */
const readRest: Maker = (random, scene) => {
  const [team = '', ...artifact] = random.pick(scene.repositories).split('/');
  const tags = `/teams/${team}/artifacts/${artifact.join('%2F')}/tags`;
  const tag = `${tags}/${tagOf(random, scene)}`;
  const { digest } = random.pick([...scene.images, scene.index]);
  const image = digest.slice(random.pick([0, 7]), random.integer(8, 71));
  const page: Pair[] = [
    ['limit', String(random.integer(1, 20))],
    ['after', Buffer.from(JSON.stringify(random.pick(['a', '5']))).toString('base64url')],
  ];
  const filter: Pair[] = [
    ['team', team],
    ['kind', random.pick(['created', 'refused'])],
    ['since', '2020-01-01T00:00:00Z'],
    ['order', 'desc'],
  ];
  const [path, query] = random.pick<readonly [string, readonly Pair[]]>([
    ['/teams', page],
    [`/teams/${team}/artifacts`, page],
    [tags, [['all', 'true']]],
    [tag, []],
    [`${tag}/events`, page.slice(0, 1)],
    [`${tag}/scm-source`, []],
    [`/tags/${image}`, []],
    ['/events', [...filter.slice(random.integer(0, 3)), ...page]],
    ['/search', [['q', random.pick(['f', 'app', 'zz'])], ...page.slice(0, 1)]],
    ['/stats', []],
    ['/stats/teams', page],
    [`/stats/teams/${team}`, []],
    ['/v1/search', [['q', team]]],
    [`/v1/repositories/${team}/${artifact.join('%2F')}/tags`, []],
    ['/openapi.json', []],
    ['/swagger.json', []],
  ]);
  return read(path, query)(random);
};

/** Every endpoint; what comes more often stands here more often. */
const MAKERS: readonly Maker[] = [
  read('/v2/'),
  getList,
  getList,
  getManifest,
  getManifest,
  getBlob,
  getBlob,
  getReferrers,
  startUpload,
  useUpload,
  useUpload,
  putManifest,
  putManifest,
  deleteContent,
  readRest,
  readRest,
  readRest,
  elsewhere,
];

/** A request as clients send it. */
export const validRequest: Maker = (random, scene) => random.pick(MAKERS)(random, scene);
