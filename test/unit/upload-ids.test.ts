import { expect, test } from 'vitest';
import { parseRepositoryName, type RepositoryName } from '../../src/oci/repository-name.ts';
import { isUploadId, UploadIds } from '../../src/registry/upload-ids.ts';

const REGISTRY_ID = '6f1c2a52-5f0e-4a55-9d0e-0c2f6a1d9b11';
const REPOSITORY = nameOf('acme/app');
const HOUR_MS = 3_600_000;

function nameOf(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`${text} is no name`);
  return name;
}

test.each(['sha256', 'sha512'] as const)(
  'an id tells that its upload is digested by %s',
  (algorithm) => {
    for (let count = 0; count < 1000; count += 1) {
      const id = new UploadIds(REGISTRY_ID, HOUR_MS).give(REPOSITORY, algorithm);
      expect(isUploadId(id)).toBe(true);
      expect(id).toMatch(/^.{14}8.{4}[89ab]/);
      // Another instance.
      expect(new UploadIds(REGISTRY_ID, HOUR_MS).read(REPOSITORY, id)).toBe(algorithm);
    }
  },
);

test('ids of the same moment differ', () => {
  const ids = new UploadIds(REGISTRY_ID, HOUR_MS, () => 1_000_000);
  const given = Array.from({ length: 10_000 }, () => ids.give(REPOSITORY, 'sha256'));
  expect(new Set(given).size).toBe(given.length);
});

test('an id is none in another repository or registry, and where a digit was changed', () => {
  const ids = new UploadIds(REGISTRY_ID, HOUR_MS);
  const id = ids.give(REPOSITORY, 'sha256');
  expect(ids.read(nameOf('acme/other'), id)).toBeUndefined();
  const other = new UploadIds(REGISTRY_ID.replace('6f', '7f'), HOUR_MS);
  expect(other.read(REPOSITORY, id)).toBeUndefined();
  for (const [at, digit] of id.split('').entries()) {
    if (digit === '-') continue;
    const changed = `${id.slice(0, at)}${digit === '0' ? '1' : '0'}${id.slice(at + 1)}`;
    expect(ids.read(REPOSITORY, changed)).toBeUndefined();
  }
  for (const text of ['', 'x', id.slice(1), `${id}0`, id.toUpperCase().replace(/\d/g, 'A')]) {
    expect(ids.read(REPOSITORY, text)).toBeUndefined();
  }
});

test.each([
  [HOUR_MS, HOUR_MS],
  [168 * HOUR_MS, 23 * HOUR_MS],
])('of uploads that are kept for %d ms one may begin within %d', (keptMs, limitMs) => {
  let now = 1_700_000_000_500;
  const ids = new UploadIds(REGISTRY_ID, keptMs, () => now);
  const id = ids.give(REPOSITORY, 'sha256');
  const wholeSeconds = 1_700_000_000_000;
  now = wholeSeconds + limitMs;
  expect(ids.read(REPOSITORY, id)).toBe('sha256');
  now += 1;
  expect(ids.read(REPOSITORY, id)).toBeUndefined();
});

test('where the clock of another instance is behind, an id is taken', () => {
  const id = new UploadIds(REGISTRY_ID, HOUR_MS).give(REPOSITORY, 'sha256');
  const behind = new UploadIds(REGISTRY_ID, HOUR_MS, () => Date.now() - 60_000);
  expect(behind.read(REPOSITORY, id)).toBe('sha256');
  const wayBehind = new UploadIds(REGISTRY_ID, HOUR_MS, () => Date.now() - 2 * HOUR_MS);
  expect(wayBehind.read(REPOSITORY, id)).toBeUndefined();
});
