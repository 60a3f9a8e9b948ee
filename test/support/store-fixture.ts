import { readdir } from 'node:fs/promises';
import { createBucket, credentialsFor, sharedRgw } from './shared-rgw.ts';
import type { Workspace } from './workspace.ts';

export const STORE_KINDS = ['a directory', 'S3'] as const;
/** What the bytes of layers are kept in. */
export type StoreKind = (typeof STORE_KINDS)[number];

/** A place for layers, new and empty. */
export interface TestStore {
  readonly kind: StoreKind;
  /** What a server is told of it. Several servers may have it, with one database. */
  readonly environment: Readonly<Record<string, string>>;
  /** The keys of all segments, sorted; in S3 without those of unfinished uploads. */
  keys(): Promise<string[]>;
}

export interface StoreWish {
  /** Given S3's URL, another one that leads there: a proxy's, for instance. */
  readonly through?: (endpoint: string) => Promise<string>;
}

/** Ended with the workspace, in which a directory lies. With S3, a server needs a database of its own. */
export async function createStore(
  workspace: Workspace,
  kind: StoreKind,
  wish: StoreWish = {},
): Promise<TestStore> {
  return kind === 'S3' ? createS3Store(workspace, wish) : createDirectory(workspace);
}

function createDirectory(workspace: Workspace): TestStore {
  const path = workspace.path('layers');
  return {
    kind: 'a directory',
    environment: { STORAGE_DIRECTORY: path },
    keys: async () => segmentsIn(await readdir(path, { recursive: true })),
  };
}

async function createS3Store(
  workspace: Workspace,
  { through = (endpoint) => Promise.resolve(endpoint) }: StoreWish,
): Promise<TestStore> {
  const rgw = await sharedRgw();
  const bucket = await createBucket(rgw);
  workspace.defer(() => bucket.dispose());
  return {
    kind: 'S3',
    environment: {
      ...credentialsFor(rgw),
      STORAGE_S3_BUCKET: bucket.name,
      STORAGE_S3_ENDPOINT: await through(rgw.endpoint),
    },
    keys: async () => segmentsIn(await bucket.listObjects()),
  };
}

function segmentsIn(names: readonly string[]): string[] {
  return names.filter((name) => /^segments\/[^/]+\/./.test(name)).toSorted();
}
