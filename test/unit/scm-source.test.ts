import { describe, expect, test } from 'vitest';
import { OciError } from '../../src/oci/error.ts';
import { readScmFile, readScmHeader, readScmKeys } from '../../src/oci/scm-source.ts';
import { SCM_SOURCE } from '../support/layer-archives.ts';

const VALID = { kind: 'valid', source: SCM_SOURCE };

function readText(text: string) {
  return readScmFile(Buffer.from(text));
}

describe('scm-source.json', () => {
  test('has the four strings', () => {
    expect(readText(JSON.stringify(SCM_SOURCE))).toEqual(VALID);
    const empty = { url: '', revision: '', author: '', status: '' };
    expect(readText(JSON.stringify(empty))).toEqual({ kind: 'valid', source: empty });
  });

  test('keeps text of any script, and lines', () => {
    const source = { ...SCM_SOURCE, author: 'Zoë 山田 🙂', status: ' M a\n?? b\n' };
    expect(readText(JSON.stringify(source))).toEqual({ kind: 'valid', source });
  });

  // biome-ignore format: a table is read by its columns
  test.each([
    ['not JSON',              '{"url":',                                            /^it is not JSON$/],
    ['nothing',               '',                                                   /^it is not JSON$/],
    ['null',                  'null',                                               /^it is not an object$/],
    ['a list',                '[]',                                                 /^it is not an object$/],
    ['a field is missing',    JSON.stringify({ ...SCM_SOURCE, author: undefined }), /^its author must be a string$/],
    ['a field is no string',  JSON.stringify({ ...SCM_SOURCE, revision: 7 }),       /^its revision must be a string$/],
    ['a field too many',      JSON.stringify({ ...SCM_SOURCE, branch: 'main' }),    /^it has the field branch too many$/],
    ['a zero character',      JSON.stringify({ ...SCM_SOURCE, status: 'a\0b' }),    /^its status has characters that are no text$/],
    ['half of a pair',        `{"url":"\\ud800","revision":"","author":"","status":""}`, /^its url has characters that are no text$/],
  ])('is invalid, and says why: %s', (_, text, reason) => {
    const finding = readText(text);
    expect(finding).toMatchObject({ kind: 'invalid', reason: expect.stringMatching(reason) });
  });

  test('is invalid when it is not UTF-8', () => {
    const finding = readScmFile(Buffer.from([0x7b, 0xff, 0x7d]));
    expect(finding).toEqual({ kind: 'invalid', reason: 'it is not UTF-8' });
  });

  test('has a reason that can be shown and kept, whatever its fields are called', () => {
    const text = JSON.stringify({ ...SCM_SOURCE, ['\0\n\ud800'.repeat(1000)]: '' });
    const finding = readText(text);
    if (finding.kind === 'valid') throw new Error('it is valid');
    expect(finding.reason).toMatch(/^it has the field (\ufffd)+$/);
    expect(finding.reason.length).toBeLessThanOrEqual(300);
  });
});

describe('the header X-SCM-Source', () => {
  test('is percent-encoded JSON', () => {
    const source = { ...SCM_SOURCE, author: 'Zoë', status: '100% + more' };
    expect(readScmHeader(encodeURIComponent(JSON.stringify(source)))).toEqual(source);
  });

  test('may be JSON as it is', () => {
    const source = { ...SCM_SOURCE, status: '100% done' };
    expect(readScmHeader(JSON.stringify(source))).toEqual(source);
  });

  test('may have more fields, which are ignored', () => {
    expect(readScmHeader(JSON.stringify({ ...SCM_SOURCE, branch: 'main' }))).toEqual(SCM_SOURCE);
  });

  test.each(['', 'none', '{}', '%7B%22url%22%3A%22x%22%7D'])('is refused: %j', (value) => {
    expect(() => readScmHeader(value)).toThrow(OciError);
    expect(() => readScmHeader(value)).toThrow(/^the header X-SCM-Source is no source: it/);
  });
});

describe('annotations and labels', () => {
  const SOURCE = 'org.opencontainers.image.source';
  const REVISION = 'org.opencontainers.image.revision';
  const { url, revision } = SCM_SOURCE;

  test('say url and revision', () => {
    const finding = readScmKeys({ [SOURCE]: url, [REVISION]: revision, other: '' });
    expect(finding).toEqual({ kind: 'valid', source: { url, revision, author: '', status: '' } });
  });

  test('need no revision', () => {
    expect(readScmKeys({ [SOURCE]: url })).toMatchObject({ source: { url, revision: '' } });
  });

  test('say nothing without both', () => {
    expect(readScmKeys({ 'org.opencontainers.image.url': url })).toBeUndefined();
    expect(readScmKeys({})).toBeUndefined();
  });

  test.each([
    { [REVISION]: revision },
    { [SOURCE]: '', [REVISION]: revision },
    { [SOURCE]: 7 },
    { [SOURCE]: url, [REVISION]: ['a'] },
    { [SOURCE]: 'a\0b' },
    { [SOURCE]: 'a'.repeat(70_000) },
  ])('are invalid %#', (keys) => {
    expect(readScmKeys(keys)).toMatchObject({ kind: 'invalid' });
  });
});
