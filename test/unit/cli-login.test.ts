import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withHelper, withoutLogin, withSecret } from '../../src/cli/login/docker-config.ts';
import {
  dockerConfigFile,
  placesOf,
  podmanAuthFile,
  stateFile,
} from '../../src/cli/login/places.ts';
import { printable } from '../../src/cli/oauth/token-request.ts';
import { isFresh } from '../../src/cli/oauth/token-store.ts';
import { changeFile } from '../../src/cli/private-file.ts';

const HOST = 'pierone.example.org:5000';

describe('docker’s configuration', () => {
  // biome-ignore format: a table is read by its columns
  test.each([
    { form: 'docker’s own', before: '{\n\t"a": 1\n}',    after: `{\n\t"a": 1,\n\t"credHelpers": {\n\t\t"${HOST}": "pierone"\n\t}\n}` },
    { form: 'two spaces',   before: '{\n  "a": 1\n}\n',  after: `{\n  "a": 1,\n  "credHelpers": {\n    "${HOST}": "pierone"\n  }\n}\n` },
    { form: 'one line',     before: '{"a": 1}\n',        after: `{"a":1,"credHelpers":{"${HOST}":"pierone"}}\n` },
    { form: 'an empty one', before: '{}',                after: `{\n\t"credHelpers": {\n\t\t"${HOST}": "pierone"\n\t}\n}` },
  ])('keeps its form: $form', ({ before, after }) => {
    expect(withHelper(before, HOST)).toBe(after);
  });

  test('with a store for all registries excepts the one whose secret is in the file', () => {
    const before = '{"credsStore":"desktop"}';
    const login = { username: 'oauth2', secret: 'token' };

    const after = withSecret(before, HOST, login);

    const auth = Buffer.from('oauth2:token').toString('base64');
    expect(JSON.parse(after)).toEqual({
      credsStore: 'desktop',
      auths: { [HOST]: { auth } },
      credHelpers: { [HOST]: '' },
    });
    expect(JSON.parse(withoutLogin(after, HOST) ?? '')).toEqual({
      credsStore: 'desktop',
      auths: {},
      credHelpers: {},
    });
  });

  test('without a login of this host is left alone, and so is another helper for it', () => {
    expect(withoutLogin(undefined, HOST)).toBeUndefined();
    expect(withoutLogin('{"auths": {"other": {}}}', HOST)).toBeUndefined();
    expect(withoutLogin(`{"credHelpers": {"${HOST}": "pass"}}`, HOST)).toBeUndefined();
  });
});

describe('files are where', () => {
  test('docker, podman and the system have them on Linux', () => {
    const places = { ...placesOf({ HOME: '/home/jdoe' }, 'linux'), uid: 1000 };
    expect(dockerConfigFile(places)).toBe('/home/jdoe/.docker/config.json');
    expect(podmanAuthFile(places)).toBe('/run/user/1000/containers/auth.json');
    expect(podmanAuthFile({ ...places, uid: 0 })).toBe('/run/containers/0/auth.json');
    expect(stateFile(places, 'x')).toBe('/home/jdoe/.local/state/pierone/x');
  });

  test('they are on macOS', () => {
    const places = placesOf({ HOME: '/Users/jdoe' }, 'darwin');
    expect(dockerConfigFile(places)).toBe('/Users/jdoe/.docker/config.json');
    expect(podmanAuthFile(places)).toBe('/Users/jdoe/.config/containers/auth.json');
    expect(stateFile(places, 'x')).toBe('/Users/jdoe/Library/Application Support/pierone/x');
  });

  test('variables say', () => {
    const places = placesOf(
      { HOME: '/h', DOCKER_CONFIG: '/d', XDG_RUNTIME_DIR: '/r', XDG_STATE_HOME: '/s' },
      'linux',
    );
    expect(dockerConfigFile(places)).toBe('/d/config.json');
    expect(podmanAuthFile(places)).toBe('/r/containers/auth.json');
    expect(stateFile(places, 'x')).toBe('/s/pierone/x');
  });
});

// biome-ignore format: a table is read by its columns
test.each([
  { lifetime: 3600, age: 3299, fresh: true },
  { lifetime: 3600, age: 3300, fresh: false },
  { lifetime: 300,  age: 149,  fresh: true },
  { lifetime: 300,  age: 150,  fresh: false },
])('a token for $lifetime s, $age s old, is fresh: $fresh', ({ lifetime, age, fresh }) => {
  const token = { accessToken: 't', issuedAt: 0, expiresAt: lifetime * 1000 };
  expect(isFresh(token, age * 1000)).toBe(fresh);
});

test('what an identity provider says moves no cursor on the terminal', () => {
  expect(printable('denied\u001b[2J\nby\u202e you')).toBe('denied [2J by  you');
});

describe('a file that several processes change', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pierone-file-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('loses none of the changes', async () => {
    const path = join(directory, 'file');
    const append = (letter: string) => changeFile(path, (text = '') => text + letter);

    await Promise.all('abcdefgh'.split('').map(append));

    const letters = (await readFile(path, 'utf8')).split('');
    expect(letters.toSorted().join('')).toBe('abcdefgh');
    expect(await readdir(directory)).toEqual(['file']);
  });

  test('is free again when whoever had it has died', async () => {
    const path = join(directory, 'file');
    const lock = `${path}.pierone-lock`;
    await writeFile(lock, '');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);

    await Promise.all(['a', 'b'].map((letter) => changeFile(path, (text = '') => text + letter)));

    expect(await readFile(path, 'utf8')).toHaveLength(2);
    expect(await readdir(directory)).toEqual(['file']);
  });
});
