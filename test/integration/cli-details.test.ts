import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AccessClient } from '../support/access-client.ts';
import { bearer } from '../support/access-scene.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { archiveOf, scmFile, zstdOf } from '../support/layer-archives.ts';
import { pierone, pieroneAtTerminal } from '../support/pierone-command.ts';
import {
  descriptor,
  expectStatus,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  type Sample,
  sampleOf,
} from '../support/sample-content.ts';
import { openFixture, type RegistryFixture } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/* The commands that look into one tag, as processes against a registry with access control. */

const REPOSITORY = 'acme/app';
/** Topmost last, as manifests have them. */
const LAYERS = [
  sampleOf(archiveOf([scmFile(), { name: 'bin/sh', content: 'shell' }])),
  sampleOf(
    gzipSync(
      archiveOf([{ name: 'z' }, { name: 'etc/', type: '5' }, { name: 'etc/motd', content: 'hi' }]),
    ),
  ),
  sampleOf(gzipSync(archiveOf([]))),
  sampleOf(zstdOf(archiveOf([{ name: 'opt/.wh.old' }]))),
];
const [PLAIN, GZIP, , ZSTD] = LAYERS.map(({ digest }) => digest);

let provider: IdentityProvider;
let fixture: RegistryFixture;
let api: AccessClient;
let environment: Record<string, string>;

beforeAll(async () => {
  provider = await startIdentityProvider();
  provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
  fixture = await openFixture(provider.environment);
  const token = provider.issueToken('jdoe');
  api = new AccessClient(fixture.registry.url, bearer(token));
  environment = { PIERONE_URL: fixture.registry.url, PIERONE_TOKEN: token };
  const config = (architecture: string) =>
    sampleOf(Buffer.from(JSON.stringify({ os: 'linux', architecture })));
  const amd64 = await pushImage('1.0', config('amd64'), LAYERS);
  const other = await pushImage('other', config('s390x'), LAYERS.slice(0, 1));
  await pushIndex('multi', [
    ['mips64', 'linux', other],
    ['s390x', 'linux', amd64],
  ]);
  await pushImage('broken', config('amd64'), [
    sampleOf(gzipSync(archiveOf([scmFile()])).subarray(0, 60)),
  ]);
  await pushImage('xz', config('amd64'), [sampleOf(Buffer.from('fd377a585a0000', 'hex'))]);
}, 120_000);

afterAll(async () => {
  await fixture?.close();
  await provider?.close();
});

async function pushImage(tag: string, config: Sample, layers: readonly Sample[]): Promise<Sample> {
  for (const blob of [config, ...layers]) await pushBlob(api, REPOSITORY, blob);
  const image = imageOf(config, layers);
  await expectStatus(putManifest(api, REPOSITORY, tag, image), 201);
  return image;
}

async function pushIndex(tag: string, children: readonly [string, string, Sample][]) {
  const manifests = children.map(([architecture, os, child]) =>
    descriptor(OCI_MANIFEST, child, { platform: { architecture, os } }),
  );
  const index = sampleOf(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })),
  );
  await expectStatus(putManifest(api, REPOSITORY, tag, index, OCI_INDEX), 201);
}

const run = (...args: string[]) => pierone(args, environment);

describe('inspect-contents', () => {
  const inspect = (...args: string[]) => run('inspect-contents', 'acme', 'app', ...args);

  test('lists the topmost layer that has files, its fields in the order of the original', async () => {
    const { stdout, exitCode } = await inspect('1.0', '-o', 'json');
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      `[{"layer_index": 0, "layer_id": "${ZSTD}", "mode": "0644", "name": "opt/.wh.old", "size": 0, "created_time": 0}]\n`,
    );
  });

  test('lists as many layers as -l says, whatever compresses them, each by name', async () => {
    const { stdout } = await inspect('1.0', '-l', '9', '-o', 'tsv');
    const [head, ...rows] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(head).toEqual(['layer_index', 'layer_id', 'mode', 'name', 'size', 'created_time']);
    expect(rows.map((row) => row.slice(0, 5))).toEqual([
      ['0', ZSTD, '0644', 'opt/.wh.old', '0'],
      ['2', GZIP, '0644', 'etc/', '0'],
      ['2', GZIP, '0644', 'etc/motd', '2'],
      ['2', GZIP, '0644', 'z', '0'],
      ['3', PLAIN, '0644', 'bin/sh', '5'],
      ['3', PLAIN, '0644', 'scm-source.json', expect.any(String)],
    ]);
  });

  test('is a table at a terminal', async () => {
    const { screen } = await pieroneAtTerminal(
      ['inspect-contents', 'acme', 'app', '1.0', '-l', '2'],
      environment,
    );
    expect(screen).toMatch(/Idx.*Layer Id.*Mode.*Name.*Size.*Created/);
    expect(screen).toMatch(/sha256:.*0644.*etc\/motd.*2/);
    expect(screen).not.toContain('Error');
  });

  test('picks an image of an index by --platform', async () => {
    const { stdout } = await inspect('multi', '--platform', 'linux/mips64', '-o', 'tsv');
    expect(stdout).toContain('scm-source.json');
    expect(stdout).not.toContain('motd');
  });

  test('says which platforms there are where none fits', async () => {
    const { stderr, exitCode } = await inspect('multi');
    expect(stderr).toMatch(
      /app:multi has no image for linux\/\w+, only linux\/mips64, linux\/s390x: give --platform\.\n$/,
    );
    expect(exitCode).toBe(1);
  });

  test.each([
    ['broken', 'its gzip is damaged'],
    ['xz', 'is compressed by xz'],
  ])('tells of a layer that it can not list: %s', async (tag, reason) => {
    const { stderr, exitCode } = await inspect(tag);
    expect(stderr).toContain(reason);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(exitCode).toBe(1);
  });

  test('looks into all tags unless some are named', async () => {
    const { stdout, exitCode } = await run(
      'inspect-contents',
      'acme',
      'app',
      '-o',
      'tsv',
      '--platform',
      'linux/s390x',
    );
    // The first that was pushed, and then the others, up to the one that is damaged.
    expect(stdout.match(/opt\/\.wh\.old/g)).toHaveLength(2);
    expect(exitCode).toBe(1);
  });
});

describe('describe', () => {
  test('shows what is known of a tag', async () => {
    const text = await waitUntil('the source', async () => {
      const { stdout } = await run('describe', 'acme', 'app', '1.0');
      return stdout.includes('Revision') && stdout;
    });
    expect(text).toMatch(/^Image\n  Name +acme\/app:1\.0\n  Digest +sha256:/);
    expect(text).toMatch(/Platforms +linux\/amd64/);
    expect(text).toMatch(/Mutability +immutable/);
    expect(text).toMatch(/Push\n  By +jdoe\n  At +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, \d+[sm] ago/);
    expect(text).toMatch(/Source\n  URL +git:git@example\.org/);
  });

  test('is the answer of the registry in json, and a field a line in tsv', async () => {
    const json: unknown = JSON.parse(
      (await run('describe', 'acme', 'app', '1.0', '-o', 'json')).stdout,
    );
    expect(json).toMatchObject({ name: '1.0', created_by: 'jdoe', team: 'acme' });
    const { stdout } = await run('describe', 'acme', 'app', '1.0', '-o', 'tsv');
    expect(stdout).toMatch(/^field\tvalue\nimage\.name\tacme\/app:1\.0\nimage\.digest\tsha256:/);
  });

  test('says that there is no such tag', async () => {
    const { stderr, exitCode } = await run('describe', 'acme', 'app', '9.9');
    expect(stderr).toBe('pierone: There is no acme/app:9.9: see pierone tags acme app.\n');
    expect(exitCode).toBe(1);
  });
});

describe.each([
  ['inspect-contents', 'acme', 'app', '1.0'],
  ['describe', 'acme', 'app', '1.0'],
])('%s', (...args) => {
  test('says that there is no such artifact', async () => {
    const [name, team, , tag] = args;
    const { exitCode, stderr } = await run(name, team, 'nothing', tag);
    expect(stderr).toMatch(/^pierone: .*(does not exist|There is no ).*\n$/);
    expect(exitCode).toBeGreaterThan(0);
  });

  test('says what to do without a token, and with one that is not valid', async () => {
    const without = await pierone(args, { PIERONE_URL: fixture.registry.url });
    expect([without.exitCode, without.stderr]).toEqual([
      3,
      expect.stringContaining('pierone login'),
    ]);
    const wrong = await pierone(args, { ...environment, PIERONE_TOKEN: 'wrong' });
    expect([wrong.exitCode, wrong.stderr]).toEqual([3, expect.stringContaining('get a new one')]);
  });

  test('says that the registry can not be reached', async () => {
    const down = await pierone(args, { ...environment, PIERONE_URL: 'http://127.0.0.1:9' });
    expect(down.exitCode).toBe(5);
    expect(down.stderr).toMatch(/^pierone: .*127\.0\.0\.1:9.*\n$/);
  });
});
