import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HttpClient } from '../support/http-client.ts';
import { archiveOf, entryOf, SCM_SOURCE, scmFile } from '../support/layer-archives.ts';
import { pushBlob, randomSample, sampleOf, startUpload } from '../support/sample-content.ts';
import { openScmScene, pushLayers, type ScmScene } from '../support/scm-scene.ts';
import { useServers } from '../support/server-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

const fixture = useServers();
let scene: ScmScene;

beforeEach(() => {
  scene = openScmScene(fixture.databaseUrl);
});

afterEach(() => scene?.close());

/** Its file comes behind so many that a scan takes a while, as long as a push is under way. */
const LARGE_LAYER = gzipSync(
  Buffer.concat([
    entryOf({ name: 'random', content: randomSample(10 * MIB).bytes }),
    Buffer.alloc(30 * MIB, entryOf({ name: 'empty' })),
    archiveOf([scmFile()]),
  ]),
  { level: 1 },
);
const LARGE = sampleOf(LARGE_LAYER);

/** A body that has begun, and doesn't go on. */
async function beginPush(api: HttpClient): Promise<void> {
  const { bytes } = randomSample(2 * MIB);
  const path = await startUpload(api, 'scm/slow');
  const request = api.open('PATCH', path, { 'Content-Length': String(bytes.length) });
  await request.connected;
  await request.write(bytes.subarray(0, MIB));
}

/** Pushes an image whose layer takes long, and waits until a scan of it is under way. */
async function beginScan(api: HttpClient): Promise<void> {
  await pushBlob(api, 'scm/large', LARGE);
  await beginPush(api);
  await pushLayers(api, 'scm/large', '1', [LARGE_LAYER]);
  await waitUntil('a scan', async () => (await scene.scanOf(LARGE))?.attempts === 1);
}

async function source() {
  return (await scene.report('scm/large', '1')).source;
}

test('a scan that a crash interrupts is done by the next start', async () => {
  const { server, api } = await fixture.start();
  await beginScan(api);
  await server.kill();
  expect(await scene.scanOf(LARGE)).toMatchObject({ state: 'due', attempts: 1 });
  await fixture.start();
  expect(await source()).toMatchObject(SCM_SOURCE);
  expect(await scene.scanOf(LARGE)).toMatchObject({ state: 'done', attempts: 2 });
});

test('a scan that a crash interrupts is done by another instance', async () => {
  const { server, api } = await fixture.start();
  await fixture.start();
  await beginScan(api);
  await server.kill();
  expect(await source()).toMatchObject(SCM_SOURCE);
});

test('a scan that an orderly end interrupts is given back, and is no attempt', async () => {
  const { server, api } = await fixture.start({ SHUTDOWN_TIMEOUT: '1' });
  await beginScan(api);
  expect(await server.stop()).toBe(0);
  expect(await scene.scanOf(LARGE)).toMatchObject({ state: 'due', attempts: 0 });
  await fixture.start();
  expect(await source()).toMatchObject(SCM_SOURCE);
  expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
});

test('a small layer is scanned while a large one is, and pushes go on', async () => {
  const { api } = await fixture.start();
  await beginScan(api);
  for (const tag of ['1', '2', '3']) {
    await pushLayers(api, 'scm/small', tag, [archiveOf([scmFile({ author: tag })])]);
    expect((await scene.report('scm/small', tag)).source).toMatchObject({ author: tag });
  }
  expect(await scene.scanOf(LARGE)).toMatchObject({ state: 'due' });
});

test('two instances scan each layer once', async () => {
  const instances = [await fixture.start(), await fixture.start()];
  const findings = () => instances.map(({ server }) => server.log.filter(isFinding).length);
  const tags: string[] = [];
  // One may be so quick that nothing is left for the other, whose thread starts with its first scan.
  do {
    const added = Array.from({ length: 30 }, (_, at) => `${tags.length + at}`);
    await Promise.all(
      instances.map(async ({ api }, instance) => {
        for (const tag of added.filter((_, at) => at % 2 === instance)) {
          const layers = [archiveOf([scmFile({ author: tag })]), archiveOf([{ name: 'base' }])];
          await pushLayers(api, 'scm/two', tag, layers);
        }
      }),
    );
    for (const tag of added) {
      expect((await scene.report('scm/two', tag)).source).toMatchObject({ author: tag });
    }
    tags.push(...added);
    // Lines are written some at a time.
    await waitUntil('the log of all findings', () => sumOf(findings()) >= tags.length);
  } while (Math.min(...findings()) === 0);
  const scans = await scene.scans();
  expect(scans).toHaveLength(2 * tags.length + 1);
  expect(scans.filter(({ state, attempts }) => state !== 'done' || attempts !== 1)).toEqual([]);
  expect(sumOf(findings())).toBe(tags.length);
});

function sumOf(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function isFinding({ msg }: Readonly<Record<string, unknown>>): boolean {
  return msg === 'found valid scm source';
}
