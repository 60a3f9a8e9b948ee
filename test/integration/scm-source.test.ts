import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isCreatedTag } from '../../src/events/created-tag.ts';
import { TimelyEventSources } from '../../src/events/event-source.ts';
import { parseDigest } from '../../src/oci/digest.ts';
import { errorCodeOf } from '../support/http-client.ts';
import { archiveOf, SCM_SOURCE, scmFile, zstdOf } from '../support/layer-archives.ts';
import { registryEvent } from '../support/registry-events.ts';
import {
  expectStatus,
  indexOf,
  OCI_INDEX,
  pushBlob,
  putManifest,
  randomSample,
  type Sample,
  sampleOf,
} from '../support/sample-content.ts';
import {
  annotated,
  openScmScene,
  pushLayers,
  putWithHeader,
  type ScmScene,
} from '../support/scm-scene.ts';
import { openFixture, type RegistryFixture, sql } from '../support/test-registry.ts';
import { present, repositoryOf, tagOf } from '../support/vocabulary.ts';
import { waitUntil } from '../support/wait-until.ts';

const SOURCE = 'org.opencontainers.image.source';
const REVISION = 'org.opencontainers.image.revision';

let fixture: RegistryFixture;
let scene: ScmScene;

beforeAll(async () => {
  fixture = await openFixture();
  scene = openScmScene(fixture.database.url);
});

afterAll(async () => {
  await scene?.close();
  await fixture?.close();
});

function api() {
  return fixture.registry.api;
}

/** A layer with the file, unlike any other by its author. */
function layerBy(author: string): Buffer {
  return archiveOf([{ name: 'app/main', content: author }, scmFile({ author })]);
}

function sourceBy(author: string, origin = 'file') {
  return { ...SCM_SOURCE, author, origin, created: expect.any(Date) };
}

describe('the source of an image', () => {
  test.each([
    ['plain', (archive: Buffer) => archive],
    ['gzip', (archive: Buffer) => gzipSync(archive)],
    ['zstd', zstdOf],
  ])('is found in a layer in %s after its push', async (name, compress) => {
    const layer = compress(layerBy(name));
    await pushLayers(api(), 'scm/formats', name, [archiveOf([{ name: 'base' }]), layer]);
    const report = await scene.report('scm/formats', name);
    expect(report).toMatchObject({ source: sourceBy(name), invalid: [], failed: [] });
    expect(report.source?.digest).toBe(sampleOf(layer).digest);
  });

  test('is that of the last layer', async () => {
    const layers = ['first', 'second', 'third'].map(layerBy);
    await pushLayers(api(), 'scm/layers', '1', [...layers, archiveOf([{ name: 'other' }])]);
    await pushLayers(api(), 'scm/layers', '2', layers.toReversed());
    expect((await scene.report('scm/layers', '1')).source).toMatchObject({ author: 'third' });
    expect((await scene.report('scm/layers', '2')).source).toMatchObject({ author: 'first' });
  });

  test('is that of the header before the file, the annotations, and the labels', async () => {
    const labels = { config: { Labels: { [SOURCE]: 'label', [REVISION]: 'r1' } } };
    const bare = await pushLayers(api(), 'scm/order', 'label', [], labels);
    expect((await scene.report('scm/order', 'label')).source).toMatchObject({
      url: 'label',
      revision: 'r1',
      author: '',
      status: '',
      origin: 'label',
    });
    const withAnnotations = annotated(bare, { [SOURCE]: 'annotation' });
    await expectStatus(putManifest(api(), 'scm/order', 'annotation', withAnnotations), 201);
    expect((await scene.report('scm/order', 'annotation')).source).toMatchObject({
      url: 'annotation',
      revision: '',
      origin: 'annotation',
    });
    const layered = await pushLayers(api(), 'scm/order', 'x', [layerBy('order')], labels);
    const all = annotated(layered, { [SOURCE]: 'annotation' });
    await expectStatus(putManifest(api(), 'scm/order', 'file', all), 201);
    expect((await scene.report('scm/order', 'file')).source).toMatchObject(sourceBy('order'));
    const header = encodeURIComponent(JSON.stringify({ ...SCM_SOURCE, author: 'Zoë' }));
    await expectStatus(putWithHeader(api(), 'scm/order', 'header', all, header), 201);
    expect((await scene.report('scm/order', 'header')).source).toMatchObject(
      sourceBy('Zoë', 'header'),
    );
    // Of that tag alone.
    expect((await scene.report('scm/order', 'file')).source).toMatchObject({ origin: 'file' });
  });

  test('is that of the images of an index', async () => {
    const images = await Promise.all(
      ['a', 'b'].map((name) => pushLayers(api(), 'scm/index', name, [layerBy('both')])),
    );
    const index = indexOf(images);
    await expectStatus(putManifest(api(), 'scm/index', 'all', index, OCI_INDEX), 201);
    const report = await scene.report('scm/index', 'all');
    expect(report).toMatchObject({ source: sourceBy('both'), invalid: [], failed: [] });
  });

  test('is that of the newest immutable tag for latest, and of many tags in one question', async () => {
    for (const tag of ['1', '2'])
      await pushLayers(api(), 'scm/many', tag, [layerBy(`many ${tag}`)]);
    await scene.report('scm/many', '1');
    await scene.report('scm/many', '2');
    const { scmSources } = scene.metadata;
    const repository = repositoryOf('scm/many');
    const latest = await scmSources.ofTag(repository, tagOf('latest'));
    expect(latest?.source).toMatchObject(sourceBy('many 2'));
    const reports = await scmSources.ofTags(repository, ['2', '1', 'none'].map(tagOf));
    expect([...reports.keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(['1', '2']);
    expect(reports.get('1')?.source).toMatchObject(sourceBy('many 1'));
    expect(reports.get('2')?.source).toMatchObject(sourceBy('many 2'));
    expect(await scmSources.ofTag(repository, tagOf('none'))).toBeUndefined();
    expect(await scmSources.ofTag(repositoryOf('scm/none'), tagOf('latest'))).toBeUndefined();
  });

  test('is none where nothing says one', async () => {
    await pushLayers(api(), 'scm/nothing', '1', [randomSample(1000).bytes, Buffer.alloc(0)]);
    expect(await scene.report('scm/nothing', '1')).toEqual({
      source: undefined,
      invalid: [],
      failed: [],
      pending: 0,
    });
  });
});

test('an invalid file is told of, beside the source that counts', async () => {
  const wrong = archiveOf([scmFile({ author: undefined })]);
  const labels = { config: { Labels: { [SOURCE]: 'label' } } };
  await pushLayers(api(), 'scm/invalid', '1', [layerBy('below'), wrong], labels);
  const report = await scene.report('scm/invalid', '1');
  expect(report.source).toMatchObject(sourceBy('below'));
  expect(report.invalid).toEqual([
    { origin: 'file', digest: sampleOf(wrong).digest, reason: 'its author must be a string' },
  ]);
});

test('a layer that can not be read is told of, with the reason', async () => {
  const damaged = gzipSync(randomSample(5000).bytes).subarray(0, 3000);
  const layer = gzipSync(archiveOf([{ name: 'large', content: randomSample(5000).bytes }]));
  await pushLayers(api(), 'scm/damaged', '1', [damaged, layer.subarray(0, 3000)]);
  const { failed } = await scene.report('scm/damaged', '1');
  expect(failed.map(({ reason }) => reason)).toEqual(
    expect.arrayContaining([expect.stringMatching(/damaged/)]),
  );
});

test('an invalid header is refused, and the tag is not set', async () => {
  const image = await pushLayers(api(), 'scm/header', 'x', []);
  const answer = await putWithHeader(api(), 'scm/header', '1', image, '%7B%22url%22%3A%22x%22%7D');
  expect([answer.status, errorCodeOf(answer)]).toEqual([400, 'MANIFEST_INVALID']);
  expect(answer.body.toString()).toContain('its revision must be a string');
  await expectStatus(api().send('GET', '/v2/scm/header/manifests/1'), 404);
});

test('a tag that is replaced loses its header, and one that stays keeps it', async () => {
  const header = (author: string) => JSON.stringify({ ...SCM_SOURCE, author });
  const tag = '1-SNAPSHOT';
  const first = await pushLayers(api(), 'scm/replaced', 'a', [layerBy('file a')]);
  const second = await pushLayers(api(), 'scm/replaced', 'b', [layerBy('file b')]);
  const author = async () => (await scene.report('scm/replaced', tag)).source?.author;
  await expectStatus(putWithHeader(api(), 'scm/replaced', tag, first, header('one')), 201);
  await expectStatus(putWithHeader(api(), 'scm/replaced', tag, first, header('two')), 201);
  expect(await author()).toBe('one');
  await expectStatus(putManifest(api(), 'scm/replaced', tag, second), 201);
  expect(await author()).toBe('file b');
  await expectStatus(putWithHeader(api(), 'scm/replaced', tag, second, header('three')), 201);
  expect(await author()).toBe('three');
});

test('a layer that images share is read once', async () => {
  const layer = layerBy('shared');
  const repositories = ['scm/shared-1', 'scm/shared-2', 'scm/shared-3'];
  await Promise.all(repositories.map((name) => pushLayers(api(), name, '1', [layer])));
  for (const name of repositories) {
    expect((await scene.report(name, '1')).source).toMatchObject(sourceBy('shared'));
  }
  expect(await scene.scanOf(sampleOf(layer))).toMatchObject({ state: 'done', attempts: 1 });
  await pushLayers(api(), 'scm/shared-4', '1', [layer]);
  expect((await scene.report('scm/shared-4', '1')).source).toMatchObject(sourceBy('shared'));
  expect(await scene.scanOf(sampleOf(layer))).toMatchObject({ state: 'done', attempts: 1 });
});

test('a layer whose bytes are missing is tried again, and given up after some times', async () => {
  const layer = sampleOf(layerBy('missing'));
  await pushBlob(api(), 'scm/missing', layer);
  const [segment] = await sql<{ key: string }>(
    fixture.database.url,
    'select key from blob_segments where digest = $1',
    [layer.digest],
  );
  await rm(join(fixture.storage.path, segment?.key ?? 'none'));
  await pushLayersOf(layer);
  await waitUntil('an attempt', async () => (await scene.scanOf(layer))?.attempts === 1);
  expect(await scene.scanOf(layer)).toMatchObject({ state: 'due' });
  await sql(
    fixture.database.url,
    `update scm_scans set attempts = 7, due = now() where digest = $1`,
    [layer.digest],
  );
  const { failed } = await scene.report('scm/missing', '1');
  expect(failed).toEqual([
    { digest: layer.digest, reason: expect.stringMatching(/^no object segments\//) },
  ]);
});

/** The blob is there already. */
async function pushLayersOf({ bytes }: { readonly bytes: Buffer }): Promise<void> {
  await pushLayers(api(), 'scm/missing', '1', [bytes]);
}

describe('the source of an event', () => {
  const HOUR_MS = 3_600_000;
  const NEVER = new AbortController().signal;

  function eventOf(repository: string, tag: string, image: Sample, ageMs = 0) {
    const event = registryEvent({
      repository: repositoryOf(repository),
      tag: tagOf(tag),
      digest: present(parseDigest(image.digest), 'the digest'),
      happened: new Date(Date.now() - ageMs),
    });
    if (!isCreatedTag(event)) throw new Error('no new tag');
    return event;
  }

  function sources() {
    return new TimelyEventSources(scene.metadata.scmSources);
  }

  /** The scans of the image's blobs are yet to come, and nobody does them. */
  async function postponeScans(image: Sample, state: 'due' | 'done') {
    await sql(
      fixture.database.url,
      `update scm_scans set state = $2, due = now() + interval '1 hour'
       where digest in (select blob from manifest_blobs where manifest = $1)`,
      [image.digest, state],
    );
  }

  test('is what was found in 10 s, and not what was found later', async () => {
    const image = await pushLayers(api(), 'scm/timely', '1', [layerBy('timely')]);
    await scene.report('scm/timely', '1');
    const young = eventOf('scm/timely', '1', image);
    expect(await sources().of(young, NEVER)).toMatchObject(sourceBy('timely'));
    const old = eventOf('scm/timely', '1', image, HOUR_MS);
    expect(await sources().of(old, NEVER)).toBeUndefined();
  });

  test('is waited for until all is looked into, or until the time is over', async () => {
    const image = await pushLayers(api(), 'scm/waiting', '1', [layerBy('waiting')]);
    await scene.report('scm/waiting', '1');
    await postponeScans(image, 'due');
    const old = eventOf('scm/waiting', '1', image, HOUR_MS);
    expect(await sources().of(old, NEVER)).toBeUndefined();
    // The time of this one is far from over.
    const young = eventOf('scm/waiting', '1', image, -HOUR_MS);
    const ended = sources().of(young, AbortSignal.timeout(100));
    await expect(ended).rejects.toThrow(/aborted/);
    const waiting = sources().of(young, NEVER);
    await postponeScans(image, 'done');
    expect(await waiting).toMatchObject(sourceBy('waiting'));
  });

  test('is that of the image that was pushed, also when its tag has another one by now', async () => {
    const [first, second] = [
      await pushLayers(api(), 'scm/moved', '1-SNAPSHOT', [layerBy('first image')]),
      await pushLayers(api(), 'scm/moved', '1-SNAPSHOT', [layerBy('second image')]),
    ];
    const expected = [first, second].map((image) =>
      sources().of(eventOf('scm/moved', '1-SNAPSHOT', image), NEVER),
    );
    expect(await Promise.all(expected)).toMatchObject([
      sourceBy('first image'),
      sourceBy('second image'),
    ]);
  });

  test('is the header of its push', async () => {
    const image = await pushLayers(api(), 'scm/headed', 'x', [layerBy('file')]);
    const header = encodeURIComponent(JSON.stringify({ ...SCM_SOURCE, author: 'header' }));
    await expectStatus(putWithHeader(api(), 'scm/headed', '1', image, header), 201);
    const event = eventOf('scm/headed', '1', image);
    expect(await sources().of(event, NEVER)).toMatchObject(sourceBy('header', 'header'));
  });
});
