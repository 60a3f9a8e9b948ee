import type { HttpClient } from './http-client.ts';
import {
  expectStatus,
  imageOf,
  OCI_INDEX,
  pushBlob,
  putManifest,
  type Sample,
  sampleOf,
} from './sample-content.ts';

/*
 * What can be there before a request of the REST API's table. Each row has a team of its own.
 */

/** What the words in capital letters stand for. */
export type Words = Record<string, string>;

let teams = 0;

export function newWords(): Words {
  teams += 1;
  return { TEAM: `team-${teams}x`, WORD: `zebra${teams}x` };
}

type Scene = (api: HttpClient, words: Words) => Promise<void>;

/** Pushes an image; its digest, and that of its config, become words: NAME and NAME_CONFIG. */
function image(artifact: string, tag: string, name: string): Scene {
  return async (api, words) => {
    const repository = `${words['TEAM']}/${artifact}`;
    const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
    const config = sampleOf(
      Buffer.from(JSON.stringify({ ...platform, team: words['TEAM'], name })),
    );
    const layers = [sampleOf(Buffer.from('a layer')), sampleOf(Buffer.from('and another'))];
    for (const blob of [config, ...layers]) await pushBlob(api, repository, blob);
    const manifest = imageOf(config, layers, name);
    words[name] = manifest.digest;
    words[`${name}_CONFIG`] = config.digest;
    await expectStatus(putManifest(api, repository, tag, manifest), 201);
  };
}

async function refuse(api: HttpClient, words: Words): Promise<void> {
  const config = sampleOf(Buffer.from('{}'));
  await pushBlob(api, `${words['TEAM']}/app`, config);
  const other: Sample = imageOf(config, [], 'other');
  words['OTHER'] = other.digest;
  await expectStatus(putManifest(api, `${words['TEAM']}/app`, '1.0', other), 409);
}

export const SCENES = {
  nothing: async () => {},
  'two tags': async (api, words) => {
    await image('app', '1.0', 'FIRST')(api, words);
    await image('app', '1.1', 'SECOND')(api, words);
  },
  'two tags and a snapshot': async (api, words) => {
    await SCENES['two tags'](api, words);
    await image('app', '2.0-SNAPSHOT', 'THIRD')(api, words);
  },
  'two tags and a signature': async (api, words) => {
    await SCENES['two tags'](api, words);
    words['SIGNATURE'] = `${words['FIRST']?.replace(':', '-')}.sig`;
    await image('app', words['SIGNATURE'], 'SIGNED')(api, words);
  },
  'a signature alone': (api, words) =>
    image('app', `sha256-${'a'.repeat(64)}.sig`, 'SIGNED')(api, words),
  'a snapshot alone': (api, words) => image('app', '1.0-SNAPSHOT', 'FIRST')(api, words),
  'an untagged image': async (api, words) => {
    await image('app', '1.0', 'FIRST')(api, words);
    const config = sampleOf(Buffer.from('{}'));
    await pushBlob(api, `${words['TEAM']}/untagged`, config);
    const manifest = imageOf(config, [], 'untagged');
    words['UNTAGGED'] = manifest.digest;
    const path = `${words['TEAM']}/untagged`;
    await expectStatus(putManifest(api, path, manifest.digest, manifest), 201);
  },
  'several artifacts': async (api, words) => {
    await image('web', '1.0', 'FIRST')(api, words);
    await image('a/b', '1.0', 'DEEP')(api, words);
    await image('a.b', '1.0', 'DOTTED')(api, words);
  },
  'artifacts of a word': async (api, words) => {
    const word = words['WORD'] ?? '';
    await image(word, '1.0', 'FIRST')(api, words);
    await image(`my-${word}`, '1.0', 'SECOND')(api, words);
    await image(`${word}.${word}/deep`, '1.0', 'THIRD')(api, words);
    await image(`not${word}`, '1.0', 'FOURTH')(api, words);
  },
  'an index': async (api, words) => {
    await image('app', '1.0', 'FIRST')(api, words);
    await image('app', '1.1', 'SECOND')(api, words);
    const platform = { os: 'linux', architecture: 'amd64' };
    const children = ['FIRST', 'SECOND'].map((name) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: words[name],
      size: 500,
      platform: name === 'FIRST' ? platform : { os: 'unknown', architecture: 'unknown' },
    }));
    const document = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: children };
    const index = sampleOf(Buffer.from(JSON.stringify(document)));
    words['INDEX'] = index.digest;
    await expectStatus(putManifest(api, `${words['TEAM']}/app`, 'multi', index, OCI_INDEX), 201);
  },
  'a refused push': async (api, words) => {
    await image('app', '1.0', 'FIRST')(api, words);
    await refuse(api, words);
    await refuse(api, words);
  },
  'a replaced snapshot': async (api, words) => {
    await image('app', '1.0-SNAPSHOT', 'FIRST')(api, words);
    await image('app', '1.0-SNAPSHOT', 'SECOND')(api, words);
  },
  'a referrer': async (api, words) => {
    await image('app', '1.0', 'FIRST')(api, words);
    const repository = `${words['TEAM']}/app`;
    const empty = sampleOf(Buffer.from('{}'));
    await pushBlob(api, repository, empty);
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const document = {
      schemaVersion: 2,
      mediaType,
      artifactType: 'application/vnd.example.signature',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty.digest, size: 2 },
      layers: [],
      subject: { mediaType, digest: words['FIRST'], size: 500 },
    };
    const referrer = sampleOf(Buffer.from(JSON.stringify(document)));
    words['REFERRER'] = referrer.digest;
    words['REFERRER_SIZE'] = String(referrer.bytes.length);
    await expectStatus(putManifest(api, repository, referrer.digest, referrer), 201);
  },
} as const satisfies Record<string, Scene>;

export type Given = keyof typeof SCENES;

export function setScene(given: Given, api: HttpClient, words: Words): Promise<void> {
  return SCENES[given](api, words);
}

/** Words of digests can be cut: FIRST[7,19] is twelve digits of one. */
export function fill(text: string, words: Words): string {
  const cut = text.replace(/([A-Z][A-Z0-9_]+)\[(\d+),(\d+)\]/g, (_, word: string, from, to) =>
    (words[word] ?? word).slice(Number(from), Number(to)),
  );
  return cut.replace(/[A-Z][A-Z0-9_]+/g, (word) => words[word] ?? word);
}
