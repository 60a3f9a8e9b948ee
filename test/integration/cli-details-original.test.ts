import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveOf } from '../support/layer-archives.ts';
import { pierone } from '../support/pierone-command.ts';
import { sampleOf } from '../support/sample-content.ts';
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts';

/* The commands that look into one tag, before servers of the original's shapes. */

const CREATED = '2016-05-19T15:23:41.065Z';
const TAGS = '/teams/stups/artifacts/kio/tags';
const TOP = sampleOf(gzipSync(archiveOf([])));
const BASE = sampleOf(gzipSync(archiveOf([{ name: 'etc/motd', content: 'hi' }])));

let registry: ScriptedRegistry;
beforeAll(async () => {
  registry = await startScriptedRegistry({
    // The open source server: a list of tags, and nothing of a single one.
    [TAGS]: {
      body: [
        { name: '1.0', created: CREATED, created_by: 'jdoe', image: 'abc', clair_id: null },
        { name: '2.0', created: CREATED, created_by: null },
      ],
    },
    [`${TAGS}/1.0/scm-source`]: {
      body: { url: 'git:x', revision: '12', author: 'jdoe', status: ' M a', created: CREATED },
    },
    [`${TAGS}/2.0/scm-source`]: { status: 404, body: 'null' },
    // Its successor.
    '/teams/stups/artifacts/kio/tags/3.0': {
      body: { created: CREATED, created_by: 'jdoe', checker_status: 'TRUSTED', user_status: null },
    },
    '/v2/stups/kio/manifests/1.0': {
      body: { schemaVersion: 1, fsLayers: [{ blobSum: TOP.digest }, { blobSum: BASE.digest }] },
    },
    '/v2/stups/kio/manifests/odd': { body: [] },
    '/v2/stups/kio/manifests/text': { body: 'hello' },
    [`/v2/stups/kio/blobs/${TOP.digest}`]: { body: TOP.bytes },
    [`/v2/stups/kio/blobs/${BASE.digest}`]: {
      status: 307,
      headers: { Location: '/elsewhere?signature=1' },
    },
    '/elsewhere': { body: BASE.bytes },
  });
});
afterAll(() => registry?.close());

const run = (...args: string[]) => pierone(args, { PIERONE_URL: registry.url, PIERONE_TOKEN: 't' });

describe('describe', () => {
  test('puts a tag together from the list and its source', async () => {
    const { stdout } = await run('describe', 'stups', 'kio', '1.0');
    expect(stdout).toMatch(/By +jdoe\n +At +2016-05-19 15:23:41 UTC, \d+d ago/);
    expect(stdout).toMatch(/Source\n +URL +git:x\n +Revision +12\n +Author +jdoe\n +Status +M a/);
    expect(stdout).not.toMatch(/undefined|null/);
  });

  test('leaves out what a server does not say', async () => {
    const { stdout, exitCode } = await run('describe', 'stups', 'kio', '2.0');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^Image\n +Name +stups\/kio:2\.0\n\nPush\n +At +2016\S+ \S+ UTC, \S+ ago\n$/,
    );
  });

  test('shows the status that its successors told', async () => {
    const { stdout } = await run('describe', 'stups', 'kio', '3.0');
    expect(stdout).toMatch(/Status\n +Checker status +TRUSTED\n$/);
  });
});

describe('inspect-contents', () => {
  const inspect = (tag: string) => run('inspect-contents', 'stups', 'kio', tag, '-o', 'tsv');

  test('reads manifests of schema 1, whose topmost layer comes first, and follows redirects', async () => {
    const { stdout } = await inspect('1.0');
    expect(stdout).toMatch(
      new RegExp(`^layer_index\\t.*\\n1\\t${BASE.digest}\\t0644\\tetc/motd\\t2\\t\\d+d ago\\n$`),
    );
  });

  test('lists nothing of a manifest without layers', async () => {
    const { stdout, exitCode } = await inspect('odd');
    expect([exitCode, stdout.trimEnd().split('\n')]).toEqual([
      0,
      [expect.stringContaining('layer_id')],
    ]);
  });

  test('says that a manifest is none', async () => {
    const { stderr, exitCode } = await inspect('text');
    expect([exitCode, stderr]).toEqual([
      1,
      'pierone: The manifest of text is no JSON: check the URL.\n',
    ]);
  });
});
