import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../config.ts';
import type { DatabaseReport } from '../meta/pg/inspection.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { describeStore, openStore, storeMismatch } from '../storage/open-store.ts';
import { checkClock } from './check-clock.ts';
import { type Finding, failed, ok, problem, warning } from './finding.ts';

const GIB = 1024 ** 3;
const LITTLE_BYTES = 10 * GIB;
const LITTLE_SHARE = 0.05;

/** Where the layers are, and whether they are those of the database. */
export async function* checkStore(
  config: Config,
  database: DatabaseReport | undefined,
): AsyncGenerator<Finding> {
  const location = config.storage;
  const check = location.kind === 'file' ? 'STORAGE_DIRECTORY' : 'STORAGE_S3_BUCKET';
  try {
    if (location.kind === 'file') yield* checkDirectory(check, location.directory);
    else if (location.endpoint !== undefined) {
      yield* checkClock('STORAGE_S3_ENDPOINT', new URL(location.endpoint));
    }
    const store = await openStore(location);
    await store.check();
    if (location.kind === 's3') {
      yield ok(check, `${describeStore(location)}: everything that the registry does was allowed`);
    }
    if (database) yield* checkOwner(config, store, database);
  } catch (error) {
    yield failed(check, error);
  }
}

async function* checkDirectory(check: string, directory: string): AsyncGenerator<Finding> {
  const existing = await nearestExisting(directory);
  try {
    await access(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { message } = failed(check, error);
    yield problem(
      check,
      `${existing} can't be written to (${message}): it must belong to this user`,
    );
    return;
  }
  const made = existing === directory ? 'can be written to' : 'will be made by the start';
  const { bavail, blocks, bsize } = await statfs(existing);
  const freeBytes = bavail * bsize;
  const sentence = `${directory} ${made}; ${gibibytes(freeBytes)} GiB of ${gibibytes(blocks * bsize)} are free`;
  if (freeBytes < GIB) yield problem(check, `${sentence}: make room`);
  else if (freeBytes < LITTLE_BYTES && freeBytes < LITTLE_SHARE * blocks * bsize) {
    yield warning(check, `${sentence}: make room`);
  } else yield ok(check, sentence);
}

async function nearestExisting(path: string): Promise<string> {
  for (let found = path; ; found = dirname(found)) {
    const isThere = await stat(found).then(
      () => true,
      () => false,
    );
    if (isThere || dirname(found) === found) return found;
  }
}

function gibibytes(bytes: number): string {
  return (bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0);
}

/** What claiming it at the start would come to. */
async function* checkOwner(
  { storage }: Config,
  store: BlobStore,
  { registryId, hasObjects }: DatabaseReport,
): AsyncGenerator<Finding> {
  const check = 'registry id';
  const carried = await store.registryId();
  if (carried !== '' && carried === registryId) {
    yield ok(check, `database and store are those of registry ${registryId}`);
    return;
  }
  const mayBeTaken = carried === '' && !hasObjects && (await isEmpty(store));
  yield mayBeTaken
    ? ok(check, 'the store is empty; the start ties it to the database')
    : problem(check, storeMismatch(storage, carried, registryId ?? 'that is yet to be made'));
}

async function isEmpty(store: BlobStore): Promise<boolean> {
  for await (const object of store.list()) if (object.key !== '') return false;
  return true;
}
