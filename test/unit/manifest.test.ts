import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-type.ts';
import {
  bytesOf,
  CONFIG_TYPE,
  descriptorOf,
  imageDocument,
  indexDocument,
} from '../support/sample-manifests.ts';
import { sha256Of } from '../support/vocabulary.ts';

const parse = (document: unknown, contentType?: string) =>
  parseManifest(bytesOf(document), contentType);

describe('what is read of a manifest', () => {
  test('image', () => {
    const annotations = { 'org.opencontainers.image.title': 'hello' };
    expect(parse(imageDocument({ annotations }), MEDIA_TYPE.ociManifest)).toEqual({
      mediaType: MEDIA_TYPE.ociManifest,
      blobs: [sha256Of('c'), sha256Of('1'), sha256Of('2')],
      manifests: [],
      members: [sha256Of('1'), sha256Of('2')],
      entries: [sha256Of('1'), sha256Of('2')],
      subject: undefined,
      artifactType: CONFIG_TYPE,
      annotations,
      config: sha256Of('c'),
    });
  });

  test('index', () => {
    expect(parse(indexDocument(), MEDIA_TYPE.ociIndex)).toEqual({
      mediaType: MEDIA_TYPE.ociIndex,
      blobs: [],
      manifests: [sha256Of('a'), sha256Of('b')],
      members: [sha256Of('a'), sha256Of('b')],
      entries: [sha256Of('a'), sha256Of('b')],
      subject: undefined,
      artifactType: undefined,
      annotations: undefined,
      config: undefined,
    });
  });

  test('artifact: no schemaVersion, no config', () => {
    const artifact = {
      mediaType: MEDIA_TYPE.ociArtifact,
      artifactType: 'application/vnd.example.sbom',
      blobs: [descriptorOf('5'), descriptorOf('6')],
      subject: descriptorOf('9', MEDIA_TYPE.ociManifest),
    };
    expect(parse(artifact, MEDIA_TYPE.ociArtifact)).toMatchObject({
      mediaType: MEDIA_TYPE.ociArtifact,
      blobs: [sha256Of('5'), sha256Of('6')],
      members: [sha256Of('5'), sha256Of('6')],
      manifests: [],
      artifactType: 'application/vnd.example.sbom',
      subject: { digest: sha256Of('9') },
      config: undefined,
    });
  });

  test('artifact without blobs', () => {
    expect(parse({ mediaType: MEDIA_TYPE.ociArtifact }).blobs).toEqual([]);
  });

  test('Docker image', () => {
    const document = imageDocument({ mediaType: MEDIA_TYPE.dockerManifest });
    expect(parse(document, MEDIA_TYPE.dockerManifest)).toMatchObject({
      mediaType: MEDIA_TYPE.dockerManifest,
      blobs: [sha256Of('c'), sha256Of('1'), sha256Of('2')],
    });
  });

  test('Docker list', () => {
    const document = indexDocument({ mediaType: MEDIA_TYPE.dockerList });
    expect(parse(document, MEDIA_TYPE.dockerList)).toMatchObject({
      mediaType: MEDIA_TYPE.dockerList,
      manifests: [sha256Of('a'), sha256Of('b')],
    });
  });
});

describe('fields', () => {
  test('no layers at all', () => {
    const manifest = parse(imageDocument({ layers: [] }));
    expect(manifest.blobs).toEqual([sha256Of('c')]);
    expect(manifest.members).toEqual([]);
  });

  test('an empty index', () => {
    expect(parse(indexDocument({ manifests: [] })).manifests).toEqual([]);
  });

  test('what an index lists is a manifest by its media type, else a blob', () => {
    const manifests = [
      descriptorOf('a', MEDIA_TYPE.ociManifest),
      descriptorOf('1'),
      descriptorOf('e', 'application/vnd.example'),
      descriptorOf('b', MEDIA_TYPE.dockerList),
    ];
    const index = parse(indexDocument({ manifests }));
    expect(index.manifests).toEqual([sha256Of('a'), sha256Of('b')]);
    expect(index.blobs).toEqual([sha256Of('1'), sha256Of('e')]);
    expect(index.members).toEqual(['a', '1', 'e', 'b'].map(sha256Of));
  });

  test('the same layer twice is needed once', () => {
    const layers = [descriptorOf('1'), descriptorOf('1'), descriptorOf('c')];
    expect(parse(imageDocument({ layers })).blobs).toEqual([sha256Of('c'), sha256Of('1')]);
  });

  test.each([
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  ])('a layer of type %s need not be here, and is a member all the same', (mediaType) => {
    const manifest = parse(
      imageDocument({ layers: [descriptorOf('1'), descriptorOf('f', mediaType)] }),
    );
    expect(manifest.blobs).toEqual([sha256Of('c'), sha256Of('1')]);
    expect(manifest.members).toEqual([sha256Of('1'), sha256Of('f')]);
  });

  test('a subject, on image and index', () => {
    const subject = descriptorOf('9', MEDIA_TYPE.ociManifest);
    expect(parse(imageDocument({ subject })).subject).toEqual(subject);
    expect(parse(indexDocument({ subject })).subject).toEqual(subject);
    expect(parse(imageDocument({ subject: null })).subject).toBeUndefined();
  });

  test("the manifest's own artifactType comes before its config's type", () => {
    expect(parse(imageDocument({ artifactType: 'application/x' })).artifactType).toBe(
      'application/x',
    );
    expect(parse(imageDocument({ artifactType: '' })).artifactType).toBe(CONFIG_TYPE);
    expect(parse(indexDocument({ artifactType: 'application/x' })).artifactType).toBe(
      'application/x',
    );
  });

  test('data, urls, platform and fields that nobody knows are no reason to refuse', () => {
    const layers = [
      { ...descriptorOf('1'), data: 'e30=', urls: ['https://example.org/x'], platform: {}, x: [1] },
    ];
    expect(parse(imageDocument({ layers, other: { deep: [[]] } })).members).toEqual([
      sha256Of('1'),
    ]);
  });

  test('a sha512 digest and an empty blob', () => {
    const digest = `sha512:${'d'.repeat(128)}`;
    const layers = [{ ...descriptorOf('1'), digest, size: 0 }];
    expect(parse(imageDocument({ layers })).members).toEqual([digest]);
  });

  test('an annotation named __proto__ reaches no prototype', () => {
    const image = JSON.stringify(imageDocument()).slice(0, -1);
    const { annotations } = parse(`${image},"annotations":{"__proto__":"x","a":"b"}}`);
    expect(annotations?.['a']).toBe('b');
    expect([Object.prototype, null]).toContain(Object.getPrototypeOf(annotations));
  });
});

describe('which type it is', () => {
  const untyped = { mediaType: undefined };

  test.each([
    ['the Content-Type', imageDocument(untyped), MEDIA_TYPE.dockerManifest],
    ['the Content-Type, of an index', indexDocument(untyped), MEDIA_TYPE.dockerList],
    ['the Content-Type without its parameters', imageDocument(), MEDIA_TYPE.ociManifest],
  ])('%s decides', (_, document, contentType) => {
    expect(parse(document, `${contentType}; charset=utf-8`).mediaType).toBe(contentType);
    expect(parse(document, ` ${contentType.toUpperCase()} `).mediaType).toBe(contentType);
  });

  test.each([undefined, '', 'application/json', 'application/octet-stream', 'text/plain'])(
    'a Content-Type of %j says nothing: mediaType decides, else the shape',
    (contentType) => {
      const list = indexDocument({ mediaType: MEDIA_TYPE.dockerList });
      expect(parse(list, contentType).mediaType).toBe(MEDIA_TYPE.dockerList);
      expect(parse(imageDocument(untyped), contentType).mediaType).toBe(MEDIA_TYPE.ociManifest);
      expect(parse(indexDocument(untyped), contentType).mediaType).toBe(MEDIA_TYPE.ociIndex);
    },
  );
});
