import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';

type Environment = Readonly<Record<string, string>>;

const DATABASE_URL = 'postgresql://db/pierone';
const BUCKET = { STORAGE_S3_BUCKET: 'acme-registry', DATABASE_URL };
const MIB = 1024 * 1024;
const NODE_20_14 = { version: 'v20.14.0', hasCrc32: false };

function storageOf(environment: Environment) {
  return readConfig({ ...BUCKET, ...environment }).storage;
}

function problemsOf(environment: Environment, runtime?: typeof NODE_20_14): readonly string[] {
  try {
    readConfig(environment, runtime);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
  return [];
}

/** The names that the problems begin with. */
function blamed(environment: Environment): string[] {
  return problemsOf(environment).map((problem) => problem.split(' ', 1)[0] ?? '');
}

test('a bucket alone: that of AWS, with checksums, its bytes protected by TLS', () => {
  expect(storageOf({})).toEqual({
    kind: 's3',
    bucket: 'acme-registry',
    prefix: '',
    endpoint: undefined,
    region: 'us-east-1',
    forcePathStyle: false,
    partBytes: 8 * MIB,
    checksum: 'crc32',
    signPayload: false,
    encryption: undefined,
    storageClass: undefined,
    links: undefined,
  });
});

test('an endpoint: the bucket in the path, and nothing that older servers refuse', () => {
  const endpoint = 'https://rgw.example.org:8443/s3';
  expect(storageOf({ STORAGE_S3_ENDPOINT: endpoint })).toMatchObject({
    endpoint,
    forcePathStyle: true,
    checksum: 'none',
    signPayload: false,
  });
});

test('an endpoint without TLS: signatures cover the bytes', () => {
  const plain = { STORAGE_S3_ENDPOINT: 'http://127.0.0.1:7480' };
  expect(storageOf(plain)).toMatchObject({ signPayload: true });
  expect(storageOf({ ...plain, STORAGE_S3_SIGN_PAYLOAD: 'false' })).toMatchObject({
    signPayload: false,
  });
});

test('what is set is what counts', () => {
  expect(
    storageOf({
      STORAGE_S3_ENDPOINT: 'http://minio:9000',
      STORAGE_S3_REGION: 'eu-central-1',
      STORAGE_S3_FORCE_PATH_STYLE: 'false',
      STORAGE_S3_PREFIX: 'team/registry',
      STORAGE_S3_PART_SIZE: '16',
      STORAGE_S3_CHECKSUM: 'crc32',
      STORAGE_S3_SIGN_PAYLOAD: 'false',
      STORAGE_S3_SSE: 'AES256',
      STORAGE_S3_STORAGE_CLASS: 'STANDARD_IA',
      STORAGE_S3_EXTERNAL_STORE: 'true',
      STORAGE_S3_URL_EXPIRATION: '30000',
      STORAGE_S3_EXTERNAL_ENDPOINT: 'https://s3.example.org',
    }),
  ).toEqual({
    kind: 's3',
    bucket: 'acme-registry',
    prefix: 'team/registry/',
    endpoint: 'http://minio:9000',
    region: 'eu-central-1',
    forcePathStyle: false,
    partBytes: 16 * MIB,
    checksum: 'crc32',
    signPayload: false,
    encryption: { algorithm: 'AES256' },
    storageClass: 'STANDARD_IA',
    links: { endpoint: 'https://s3.example.org', expirationMs: 30_000 },
  });
});

test.each([
  [{ AWS_REGION: 'a-1', AWS_DEFAULT_REGION: 'b-1' }, { region: 'a-1' }],
  [{ AWS_REGION: '', AWS_DEFAULT_REGION: 'b-1' }, { region: 'b-1' }],
  [{ AWS_REGION: 'a-1', STORAGE_S3_REGION: 'c-1' }, { region: 'c-1' }],
  [{ AWS_ENDPOINT_URL: 'http://a:1' }, { endpoint: 'http://a:1', forcePathStyle: true }],
  [
    { AWS_ENDPOINT_URL: 'http://a:1', AWS_ENDPOINT_URL_S3: 'http://b:1' },
    { endpoint: 'http://b:1' },
  ],
  [
    { AWS_ENDPOINT_URL: 'http://a:1', STORAGE_S3_ENDPOINT: 'http://c:1' },
    { endpoint: 'http://c:1' },
  ],
])('%j stands in for what is not set', (environment, expected) => {
  expect(storageOf(environment)).toMatchObject(expected);
});

test('variables of AWS are not looked at without a bucket', () => {
  expect(readConfig({ AWS_REGION: '?', AWS_ENDPOINT_URL: '?' })).toEqual(readConfig({}));
});

test.each([
  ['', ''],
  ['registry', 'registry/'],
  ['registry/', 'registry/'],
  ['a/b.c/d_e-f', 'a/b.c/d_e-f/'],
  ['..a/.b', '..a/.b/'],
])('the prefix %j becomes %j', (given, prefix) => {
  expect(storageOf({ STORAGE_S3_PREFIX: given })).toMatchObject({ prefix });
});

const KEY_ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

test.each([
  ['AES256', { algorithm: 'AES256' }],
  ['aws:kms', { algorithm: 'aws:kms', kmsKeyId: undefined }],
  ['aws:kms:1234abcd-12ab', { algorithm: 'aws:kms', kmsKeyId: '1234abcd-12ab' }],
  ['aws:kms:alias/registry', { algorithm: 'aws:kms', kmsKeyId: 'alias/registry' }],
  [`aws:kms:${KEY_ARN}`, { algorithm: 'aws:kms', kmsKeyId: KEY_ARN }],
])('STORAGE_S3_SSE=%s', (given, encryption) => {
  expect(storageOf({ STORAGE_S3_SSE: given })).toMatchObject({ encryption });
});

// biome-ignore format: a table is read by its columns
test.each([
  ['STORAGE_S3_BUCKET',            ['', 'a', 'a b', 'a/b', '-a-', 's3://acme']],
  ['STORAGE_S3_ENDPOINT',          ['', 'rgw.example.org', 'ftp://a', 'https://a?b', 'https://a#b', 'https://u:p@a']],
  ['STORAGE_S3_REGION',            ['', 'eu central', 'https://eu']],
  ['STORAGE_S3_FORCE_PATH_STYLE',  ['', 'yes']],
  ['STORAGE_S3_PREFIX',            ['/', '/a', 'a//b', 'a//', '.', '..', 'a/../b', 'a/.', 'ä', 'a b', 'a?']],
  ['STORAGE_S3_PART_SIZE',         ['4', '1025', '8MiB', '']],
  ['STORAGE_S3_CHECKSUM',          ['', 'md5', 'CRC32']],
  ['STORAGE_S3_SIGN_PAYLOAD',      ['1']],
  ['STORAGE_S3_SSE',               ['', 'aes256', 'aws:kms:', 'aws:kms:a b', 'kms']],
  ['STORAGE_S3_STORAGE_CLASS',     ['', 'GLACIER', 'DEEP_ARCHIVE', 'standard']],
  ['STORAGE_S3_EXTERNAL_STORE',    ['', 'yes']],
  ['STORAGE_S3_URL_EXPIRATION',    ['999', '604800001', '30s']],
  ['STORAGE_S3_EXTERNAL_ENDPOINT', ['', 's3.example.org']],
])('%s is read strictly', (name, values) => {
  for (const value of values) {
    const problems = problemsOf({ ...BUCKET, [name]: value });
    expect(problems, JSON.stringify(value)).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} must be .`));
  }
});

describe('contradictions', () => {
  test('a bucket without a database is refused, and why', () => {
    expect(problemsOf({ STORAGE_S3_BUCKET: 'acme-registry' })).toEqual([
      expect.stringMatching(
        /^STORAGE_S3_BUCKET is set without a database: set DATABASE_URL .*lost/,
      ),
    ]);
    expect(problemsOf({ STORAGE_S3_BUCKET: 'acme-registry', DB_SUBNAME: '//db/a' })).toEqual([]);
  });

  test('a database that cannot be read is one problem, not two', () => {
    expect(blamed({ ...BUCKET, DATABASE_URL: 'db' })).toEqual(['DATABASE_URL']);
  });

  test('settings of S3 without a bucket are refused, each by its name', () => {
    const settings = {
      STORAGE_S3_ENDPOINT: 'https://rgw.example.org',
      STORAGE_S3_PREFIX: 'a',
      STORAGE_S3_EXTERNAL_STORE: 'true',
    };
    expect(blamed(settings)).toEqual(Object.keys(settings));
    expect(problemsOf(settings)[0]).toContain('without STORAGE_S3_BUCKET');
  });

  test('but not those that ask for what is done anyway', () => {
    const settings = { STORAGE_S3_EXTERNAL_STORE: 'false', STORAGE_S3_PREFIX: '' };
    expect(problemsOf(settings)).toEqual([]);
  });

  test('an endpoint for clients that are never sent there', () => {
    const environment = { ...BUCKET, STORAGE_S3_EXTERNAL_ENDPOINT: 'https://s3.example.org' };
    expect(blamed(environment)).toEqual(['STORAGE_S3_EXTERNAL_ENDPOINT']);
    expect(blamed({ ...environment, STORAGE_S3_EXTERNAL_STORE: 'true' })).toEqual([]);
  });

  test('crc32 where Node.js has none, also as the default', () => {
    expect(problemsOf(BUCKET, NODE_20_14)).toEqual([
      expect.stringMatching(/^STORAGE_S3_CHECKSUM is crc32 \(the default on AWS\), .*v20\.14\.0/),
    ]);
    expect(problemsOf({ ...BUCKET, STORAGE_S3_CHECKSUM: 'crc32' }, NODE_20_14)).toHaveLength(1);
    expect(problemsOf({ ...BUCKET, STORAGE_S3_CHECKSUM: 'none' }, NODE_20_14)).toEqual([]);
    expect(problemsOf({}, NODE_20_14)).toEqual([]);
  });

  test('all at once', () => {
    const environment = {
      STORAGE_S3_BUCKET: 'acme-registry',
      STORAGE_S3_PART_SIZE: '1',
      STORAGE_S3_EXTERNAL_ENDPOINT: 'https://s3.example.org',
    };
    expect(blamed(environment)).toEqual([
      'STORAGE_S3_PART_SIZE',
      'STORAGE_S3_BUCKET',
      'STORAGE_S3_EXTERNAL_ENDPOINT',
    ]);
  });
});

test('STORAGE_DIRECTORY is still where an embedded PostgreSQL would be', () => {
  const { database } = readConfig({ ...BUCKET, STORAGE_DIRECTORY: '/srv/pierone' });
  expect(database.embeddedDirectory).toBe('/srv/pierone/postgresql');
});
