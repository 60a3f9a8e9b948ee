import { describe, expect, test } from 'vitest';
import { MEDIA_TYPE } from '../../src/oci/media-type.ts';
import { decideTag, type Mutability, matchesAny } from '../../src/oci/tag-rule.ts';
import { sha256Of, tagOf } from '../support/vocabulary.ts';

const HEX = 'a'.repeat(64);
const IMAGE = MEDIA_TYPE.ociManifest;
const INDEX = MEDIA_TYPE.ociIndex;
const LIST = MEDIA_TYPE.dockerList;

/** `1 2+a` is a value with these entries, the second one annotated; values of the same length mean the same digest. */
type Value = string;

interface Row {
  readonly tag: string;
  /** How its row says it may change, and its value; undefined when there is no such tag yet. */
  readonly now?: readonly [Mutability, Value];
  readonly push: Value;
  readonly as?: typeof IMAGE | typeof INDEX | typeof LIST;
  readonly gives: string;
}

const isMutableName = matchesAny(['*-SNAPSHOT', 'dev']);

/** As manifest.ts makes them. */
function entryOf(text: string): string {
  const [digest = '', annotation] = text.split('+');
  const annotated = annotation === undefined ? '' : ` [["signature","${annotation}"]]`;
  return sha256Of(digest) + annotated;
}

function decide({ tag, now, push, as = IMAGE }: Row): string {
  const entriesOf = (value: Value) => value.split(' ').filter(Boolean).map(entryOf);
  const digestOf = (value: Value) => sha256Of((value.length % 16).toString(16));
  const current = now && {
    digest: digestOf(now[1]),
    mutability: now[0],
    entries: entriesOf(now[1]),
  };
  const value = {
    tag: tagOf(tag),
    digest: digestOf(push),
    mediaType: as,
    entries: entriesOf(push),
  };
  const decision = decideTag(value, current, isMutableName);
  switch (decision.kind) {
    case 'create':
      return `create ${decision.mutability}`;
    case 'refuse':
      return `refuse: ${decision.message}`;
    case 'unchanged':
    case 'replace':
      return decision.kind;
  }
}

// biome-ignore format: a table is read by its columns
const RULES: readonly (readonly [rule: string, Row])[] = [
  ['a new tag is immutable',              { tag: '1.0',                                     push: '1',     gives: 'create immutable' }],
  ['the same digest again',               { tag: '1.0',          now: ['immutable', '1'],   push: '1',     gives: 'unchanged' }],
  ['another digest',                      { tag: '1.0',          now: ['immutable', '1'],   push: '1 2',   gives: 'refuse: tag already exists' }],
  ['a name of MUTABLE_TAGS',              { tag: '1.0-SNAPSHOT',                            push: '1',     gives: 'create mutable' }],
  ['its overwriting',                     { tag: '1.0-SNAPSHOT', now: ['mutable', '1 2'],   push: '1',     gives: 'replace' }],
  ['its same digest again',               { tag: '1.0-SNAPSHOT', now: ['mutable', '1'],     push: '1',     gives: 'unchanged' }],
  ['a setting loosened later',            { tag: '1.0-SNAPSHOT', now: ['immutable', '1'],   push: '1 2',   gives: 'refuse: tag already exists' }],
  ['a setting tightened later',           { tag: '1.0',          now: ['mutable', '1'],     push: '1 2',   gives: 'replace' }],
  ['a name without pattern',              { tag: 'dev',                                     push: '1',     gives: 'create mutable' }],
  ['case matters',                        { tag: '1.0-snapshot',                            push: '1',     gives: 'create immutable' }],

  ['the referrers fallback, an index',    { tag: `sha256-${HEX}`,                           push: '1',     as: INDEX, gives: 'create append-only' }],
  ['the same as a Docker list',           { tag: `sha256-${HEX}`,                           push: '1',     as: LIST,  gives: 'create append-only' }],
  ['the same of sha512',                  { tag: `sha512-${HEX}`,                           push: '1',     as: INDEX, gives: 'create append-only' }],
  ['the same name with an image',         { tag: `sha256-${HEX}`,                           push: '1',     gives: 'create immutable' }],
  ['cosign signature',                    { tag: `sha256-${HEX}.sig`,                       push: '1',     gives: 'create append-only' }],
  ['cosign attestation',                  { tag: `sha256-${HEX}.att`,                       push: '1',     gives: 'create append-only' }],
  ['cosign SBOM',                         { tag: `sha256-${HEX}.sbom`,                      push: '1',     gives: 'create append-only' }],
  ['cosign signature of sha512',          { tag: `sha512-${HEX}.sig`,                       push: '1',     gives: 'create append-only' }],
  ['another ending',                      { tag: `sha256-${HEX}.txt`,                       push: '1',     as: INDEX, gives: 'create immutable' }],
  ['one digit short',                     { tag: `sha256-${HEX.slice(1)}.sig`,              push: '1',     gives: 'create immutable' }],
  ['upper case digits',                   { tag: `sha256-${HEX.toUpperCase()}.sig`,         push: '1',     gives: 'create immutable' }],
  ['something before it',                 { tag: `x-sha256-${HEX}.sig`,                     push: '1',     gives: 'create immutable' }],
  ['it grows',                            { tag: `sha256-${HEX}.sig`, now: ['append-only', '1'],     push: '1 2',   gives: 'replace' }],
  ['it grows in another order',           { tag: `sha256-${HEX}.sig`, now: ['append-only', '1 2'],   push: '3 2 1', gives: 'replace' }],
  ['it was empty',                        { tag: `sha256-${HEX}`,     now: ['append-only', ''],      push: '1',     as: INDEX, gives: 'replace' }],
  ['the same again',                      { tag: `sha256-${HEX}.sig`, now: ['append-only', '1'],     push: '1',     gives: 'unchanged' }],
  ['it shrinks',                          { tag: `sha256-${HEX}.sig`, now: ['append-only', '1 2 3'], push: '2',
    gives: `refuse: tag already exists, and may only grow: the new manifest lacks 2 of its entries, the first being ${sha256Of('1')}; read the tag again and add to it` }],
  ['a second signer keeps the first',     { tag: `sha256-${HEX}.sig`, now: ['append-only', '1+a'],   push: '1+a 1+b', gives: 'replace' }],
  ['a second signer drops the first',     { tag: `sha256-${HEX}.sig`, now: ['append-only', '1+a 2'], push: '1+b',
    gives: `refuse: tag already exists, and may only grow: the new manifest lacks 2 of its entries, the first being ${sha256Of('1')} with its annotations; read the tag again and add to it` }],
  ['an index shrinks to nothing',         { tag: `sha256-${HEX}`,     now: ['append-only', '1'],     push: '',      as: INDEX,
    gives: `refuse: tag already exists, and may only grow: the new manifest lacks 1 of its entries, the first being ${sha256Of('1')}; read the tag again and add to it` }],
  ['made before it was a signature tag',  { tag: `sha256-${HEX}`,     now: ['immutable', '1'],       push: '1 2',   as: INDEX, gives: 'refuse: tag already exists' }],

  ['latest, and no tag is there',         { tag: 'latest',                                  push: '1',     gives: expect.stringMatching(/^refuse: tag latest is not allowed: .*newest/) }],
  ['latest, as it resolves now',          { tag: 'latest',       now: ['immutable', '1'],   push: '1',     gives: 'unchanged' }],
  ['latest, another digest',              { tag: 'latest',       now: ['immutable', '1'],   push: '1 2',   gives: expect.stringMatching(/^refuse: tag latest is not allowed: .*newest/) }],
  ['Latest is a tag like any other',      { tag: 'Latest',                                  push: '1',     gives: 'create immutable' }],
];

test.each(RULES)('%s', (_, row) => {
  expect(decide(row)).toEqual(row.gives);
});

test('latest stays virtual, even where MUTABLE_TAGS has everything', () => {
  const push = { tag: tagOf('latest'), digest: sha256Of('1'), mediaType: IMAGE, entries: [] };
  expect(decideTag(push, undefined, () => true).kind).toBe('refuse');
});

test('a signature tag is append-only, even where MUTABLE_TAGS has everything', () => {
  const push = {
    tag: tagOf(`sha256-${HEX}.sig`),
    digest: sha256Of('1'),
    mediaType: IMAGE,
    entries: [],
  };
  expect(decideTag(push, undefined, () => true)).toEqual({
    kind: 'create',
    mutability: 'append-only',
  });
});

describe('patterns of MUTABLE_TAGS', () => {
  test.each([
    ['*-SNAPSHOT', '1.0-SNAPSHOT', true],
    ['*-SNAPSHOT', '-SNAPSHOT', true],
    ['*-SNAPSHOT', '1.0-SNAPSHOT-2', false],
    ['*-SNAPSHOT', '1.0-snapshot', false],
    ['dev', 'dev', true],
    ['dev', 'dev2', false],
    ['dev', 'my-dev', false],
    ['dev-*', 'dev-', true],
    ['dev-*', 'dev-1.0', true],
    ['*', 'anything', true],
    ['*.*', '1.0', true],
    ['*.*', '10', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['1.0', '1x0', false],
    ['v1.*', 'v1.2', true],
    ['v1.*', 'v12', false],
  ])('%s has %s: %s', (pattern, name, expected) => {
    expect(matchesAny([pattern])(name)).toBe(expected);
  });

  test('any of several', () => {
    const matches = matchesAny(['dev', 'test-*']);
    expect(['dev', 'test-1', 'prod'].map(matches)).toEqual([true, true, false]);
  });

  test('none matches nothing', () => {
    expect(matchesAny([])('anything')).toBe(false);
  });
});
