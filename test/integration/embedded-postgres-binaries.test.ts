import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { linkLibraries } from '../../src/meta/pg/embedded/binaries.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pierone-test-'));
  await mkdir(join(folder, 'native', 'lib'), { recursive: true });
  await writeFile(join(folder, 'native', 'lib', 'libpq.so.5.18'), 'library');
  const links = ['libpq.so', 'libpq.so.5'].map((name) => ({
    source: 'native/lib/libpq.so.5.18',
    target: `native/lib/${name}`,
  }));
  await writeFile(join(folder, 'native', 'pg-symlinks.json'), JSON.stringify(links));
});

afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));

test('the links that an install script would have made are made, also by several at once', async () => {
  const calls = Array.from({ length: 8 }, () => linkLibraries(folder));
  expect(new Set(await Promise.all(calls))).toEqual(new Set([true]));
  expect(await linkLibraries(folder)).toBe(true);
  expect(await readFile(join(folder, 'native', 'lib', 'libpq.so.5'), 'utf8')).toBe('library');
  expect(await readdir(join(folder, 'native', 'lib'))).toHaveLength(3);
});

test('links that can not be made are told', async () => {
  await writeFile(
    join(folder, 'native', 'pg-symlinks.json'),
    JSON.stringify([{ source: 'native/lib/libpq.so.5.18', target: 'native/nowhere/libpq.so' }]),
  );
  expect(await linkLibraries(folder)).toBe(false);
});
