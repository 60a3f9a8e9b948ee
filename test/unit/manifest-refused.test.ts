import { describe, expect, test } from 'vitest';
import { OciError } from '../../src/oci/error.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-type.ts';
import {
  bytesOf,
  descriptorOf,
  imageDocument,
  indexDocument,
} from '../support/sample-manifests.ts';

/** The sentence with which a manifest is refused; anything but MANIFEST_INVALID fails the test. */
function refusal(bytes: Uint8Array, contentType?: string): string {
  try {
    parseManifest(bytes, contentType);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    expect(error).toMatchObject({ code: 'MANIFEST_INVALID', status: 400 });
    return error.message;
  }
  throw new Error('it was accepted');
}

const layer = (changes: Readonly<Record<string, unknown>>) => ({
  layers: [{ ...descriptorOf('1'), ...changes }],
});
const PRETTY_SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

test.each([
  ['no config', imageDocument({ config: undefined }), /needs the field config/],
  ['no layers', imageDocument({ layers: undefined }), /needs the field layers/],
  ['layers that are no list', imageDocument({ layers: {} }), /layers/],
  ['no manifests', indexDocument({ manifests: undefined }), /needs the field manifests/],
  ['no schemaVersion', imageDocument({ schemaVersion: undefined }), /schemaVersion must be 2/],
  ['schemaVersion 3', imageDocument({ schemaVersion: 3 }), /schemaVersion must be 2/],
  ['schemaVersion as a text', imageDocument({ schemaVersion: '2' }), /schemaVersion/],
  ['a layer without digest', imageDocument(layer({ digest: undefined })), /layers\.0\.digest/],
  ['a layer without size', imageDocument(layer({ size: undefined })), /layers\.0\.size/],
  ['a negative size', imageDocument(layer({ size: -1 })), /layers\.0\.size/],
  ['half a byte', imageDocument(layer({ size: 0.5 })), /layers\.0\.size/],
  ['a size beyond whole numbers', imageDocument(layer({ size: 2 ** 60 })), /layers\.0\.size/],
  ['a layer without type', imageDocument(layer({ mediaType: undefined })), /layers\.0\.mediaType/],
  ['a malformed digest', imageDocument(layer({ digest: 'sha256:xyz' })), /layers\.0\.digest/],
  ['a path for a digest', imageDocument(layer({ digest: '../../etc/passwd' })), /digest/],
  ['md5', imageDocument(layer({ digest: `md5:${'a'.repeat(32)}` })), /sha256 or sha512/],
  ['a layer that is a text', imageDocument({ layers: ['x'] }), /layers\.0/],
  ['a malformed child', indexDocument({ manifests: [{}] }), /manifests\.0/],
  ['a malformed subject', imageDocument({ subject: { digest: 'x' } }), /subject/],
  ['an annotation that is a number', imageDocument({ annotations: { a: 1 } }), /annotations\.a/],
  ['a type of its own', imageDocument({ mediaType: 'application/x' }), /no manifest type/],
  ['a config as manifest', imageDocument({ mediaType: 'application/json' }), /no manifest type/],
])('%s is refused, and the field named', (_, document, reason) => {
  expect(refusal(bytesOf(document))).toMatch(reason);
});

describe('Content-Type and mediaType', () => {
  test('that differ are refused, and both are named', () => {
    const message = refusal(bytesOf(imageDocument()), MEDIA_TYPE.dockerManifest);
    expect(message).toContain(MEDIA_TYPE.dockerManifest);
    expect(message).toContain(MEDIA_TYPE.ociManifest);
  });

  test('an index that is sent as an image, and the other way round', () => {
    expect(
      refusal(bytesOf(indexDocument({ mediaType: undefined })), MEDIA_TYPE.ociManifest),
    ).toMatch(/needs the field config/);
    expect(refusal(bytesOf(imageDocument({ mediaType: undefined })), MEDIA_TYPE.ociIndex)).toMatch(
      /needs the field manifests/,
    );
  });

  test('a Content-Type that is no manifest', () => {
    expect(refusal(bytesOf(imageDocument({ mediaType: undefined })), 'image/png')).toMatch(
      /image\/png is no manifest type/,
    );
  });
});

describe('schema 1 is refused with the Docker version to use', () => {
  test.each([
    ['by its version', { schemaVersion: 1, name: 'a/b', fsLayers: [] }, undefined],
    ['by its Content-Type', { name: 'a/b' }, PRETTY_SCHEMA1],
    ['signed', { schemaVersion: 1, signatures: [{}] }, PRETTY_SCHEMA1],
  ])('%s', (_, document, contentType) => {
    expect(refusal(bytesOf(document), contentType)).toMatch(/Docker 1\.10/);
  });
});

describe('garbage', () => {
  test.each([
    ['nothing', ''],
    ['space', '  \n'],
    ['no JSON', 'hello'],
    ['half of a JSON', JSON.stringify(imageDocument()).slice(0, -5)],
    ['two documents', `${JSON.stringify(imageDocument())}{}`],
    ['null', 'null'],
    ['a number', '2'],
    ['a text', '"manifest"'],
    ['a list', '[]'],
    ['an empty object', '{}'],
    ['a NUL at its end', `${JSON.stringify(imageDocument())}\0`],
  ])('%s', (_, text) => {
    expect(refusal(bytesOf(text))).toMatch(/^manifest invalid: ./);
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['a cut sequence', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
  ])('invalid UTF-8: %s', (_, wrong) => {
    const good = bytesOf(imageDocument({ annotations: { a: '@' } }));
    const at = good.indexOf('@'.charCodeAt(0));
    const bytes = Uint8Array.from([...good.subarray(0, at), ...wrong, ...good.subarray(at + 1)]);
    expect(refusal(bytes)).toMatch(/not JSON in UTF-8/);
  });

  test('UTF-16', () => {
    expect(refusal(Buffer.from(JSON.stringify(imageDocument()), 'utf16le'))).toMatch(/UTF-8/);
  });
});

describe('documents made to exhaust the parser', () => {
  const nested = (open: string, close: string, depth: number) =>
    open.repeat(depth) + close.repeat(depth);
  const image = JSON.stringify(imageDocument()).slice(0, -1);

  test.each([
    ['lists in lists', nested('[', ']', 200_000)],
    ['lists that never close', '['.repeat(400_000)],
    ['objects in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['a deep annotation', `${image},"annotations":{"a":${nested('[', ']', 200_000)}}}`],
    ['a deep layer', `${image},"layers":[${nested('[', ']', 200_000)}]}`],
    ['very many wrong layers', `{"layers":[${Array(200_000).fill(0).join(',')}]}`],
  ])('%s', (_, text) => {
    expect(refusal(bytesOf(text))).toMatch(/^manifest invalid: ./);
  });

  test('depth in a field that nobody reads is harmless', () => {
    const text = `${image},"x":${nested('[', ']', 200_000)}}`;
    expect(parseManifest(bytesOf(text), undefined).members).toHaveLength(2);
  });
});

test('a message stays short, whatever the manifest holds', () => {
  const document = imageDocument({ mediaType: 'x'.repeat(100_000) });
  expect(refusal(bytesOf(document)).length).toBeLessThan(2000);
});
