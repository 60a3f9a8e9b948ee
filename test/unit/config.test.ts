import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';
import { describeSettings } from '../../src/settings.ts';

type Environment = Readonly<Record<string, string>>;

function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) expect(error.message).toContain(problem);
    return error.problems;
  }
  return [];
}

/** The names that the problems begin with. */
function blamed(environment: Environment): string[] {
  return problemsOf(environment).map((problem) => problem.split(' ', 1)[0] ?? '');
}

test('with nothing set: 127.0.0.1, an embedded database, a directory', () => {
  const directory = resolve('data');
  expect(readConfig({})).toEqual({
    http: {
      host: '127.0.0.1',
      port: 8080,
      transport: undefined,
      tls: undefined,
      externalUrl: undefined,
      trustedProxies: [],
      pace: { minBytesPerSecond: 1024, idleTimeoutMs: 60_000 },
    },
    access: expect.objectContaining({ isSecured: false, allowsPublicRead: false }),
    management: { host: '127.0.0.1', port: 7979 },
    database: { url: undefined, maxPool: 10, embeddedDirectory: resolve(directory, 'postgresql') },
    storage: { kind: 'file', directory },
    registry: {
      mutableTags: ['*-SNAPSHOT'],
      manifestMaxBytes: 4 * 1024 ** 2,
      uploadExpirationMs: 7 * 86_400_000,
      sweepGraceMs: 86_400_000,
      sweepIntervalMs: 3_600_000,
      compactIntervalMs: 60_000,
    },
    events: {
      outbox: {
        deliveryTimeoutMs: 30_000,
        concurrency: 8,
        parkAfterMs: 86_400_000,
        keepParkedMs: 604_800_000,
      },
      sns: undefined,
      audit: undefined,
      webhooks: undefined,
    },
    workers: {
      threads: Math.max(2, availableParallelism()),
      bufferMemoryBytes: 64 * 1024 ** 2,
      bufferMemoryPerUploadBytes: 8 * 1024 ** 2,
    },
    startTimeoutMs: 300_000,
    shutdownTimeoutMs: 25_000,
    logLevel: 'info',
    logsAccess: true,
    notices: [],
  });
});

test('variables that are not ours change nothing', () => {
  expect(readConfig({ PATH: '/bin', HOME: '/', http_port: '1' })).toEqual(readConfig({}));
});

test('what is set is what counts', () => {
  const { http, registry, workers, shutdownTimeoutMs } = readConfig({
    HTTP_PORT: '0',
    HTTP_IDLE_TIMEOUT: '5',
    HTTP_MIN_RATE: '100',
    HTTP_TRANSPORT: 'node',
    HTTP_TLS_CERT_FILE: '/etc/tls/cert.pem',
    HTTP_TLS_KEY_FILE: '/etc/tls/key.pem',
    HTTP_EXTERNAL_URL: 'https://PierOne.example.org/',
    HTTP_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::1',
    MUTABLE_TAGS: 'dev,*-test',
    SWEEP_INTERVAL: '60',
    COMPACT_INTERVAL: '7',
    WORKER_THREADS: '3',
    SHUTDOWN_TIMEOUT: '0',
  });
  expect(http).toEqual({
    host: '127.0.0.1',
    port: 0,
    transport: 'node',
    tls: { certFile: '/etc/tls/cert.pem', keyFile: '/etc/tls/key.pem' },
    externalUrl: 'https://pierone.example.org',
    trustedProxies: [
      { address: '10.0.0.0', bits: 8, family: 'ipv4' },
      { address: '2001:db8::1', bits: 128, family: 'ipv6' },
    ],
    pace: { minBytesPerSecond: 100, idleTimeoutMs: 5000 },
  });
  expect(registry).toMatchObject({
    mutableTags: ['dev', '*-test'],
    sweepIntervalMs: 60_000,
    compactIntervalMs: 7000,
  });
  expect([workers.threads, shutdownTimeoutMs]).toEqual([3, 0]);
});

test.each([
  ['HTTP_EXTERNAL_URL', 'pierone.example.org'],
  ['HTTP_EXTERNAL_URL', 'https://pierone.example.org/registry'],
  ['HTTP_EXTERNAL_URL', 'ftp://pierone.example.org'],
  ['HTTP_EXTERNAL_URL', 'https://user@pierone.example.org'],
  ['HTTP_TRUSTED_PROXIES', 'nginx'],
  ['HTTP_TRUSTED_PROXIES', '10.0.0.0/33'],
  ['HTTP_TRUSTED_PROXIES', '10.0.0.1,10.0.0.0/8/8'],
  ['HTTP_TRUSTED_PROXIES', '::1/129'],
  ['HTTP_TRANSPORT', 'http'],
  ['HTTP_MIN_RATE', '0'],
  ['HTTP_TLS_CERT_FILE', ''],
])('%s=%s is refused, by its name', (name, value) => {
  expect(blamed({ [name]: value })).toContain(name);
});

test('a certificate without key is refused, and a key without certificate', () => {
  expect(blamed({ HTTP_TLS_CERT_FILE: 'cert.pem' })).toEqual(['HTTP_TLS_CERT_FILE']);
  expect(blamed({ HTTP_TLS_KEY_FILE: 'key.pem' })).toEqual(['HTTP_TLS_KEY_FILE']);
});

test('MUTABLE_TAGS may be empty: then no tag is mutable', () => {
  expect(readConfig({ MUTABLE_TAGS: '' }).registry.mutableTags).toEqual([]);
});

describe('problems', () => {
  // biome-ignore format: a table is read by its columns
  test.each([
    ['HTTP_PORT',               ['x', '-1', '65536', '1.5', '', ' 80', '0x50', '1e3']],
    ['MGMT_HTTP_PORT',          ['x', '65536']],
    ['HTTP_HOST',               ['']],
    ['HTTP_ALLOW_UNPROTECTED',  ['yes', '1', 'TRUE', '']],
    ['HTTP_IDLE_TIMEOUT',       ['0', '3601', '60s']],
    ['DATABASE_URL',            ['', 'localhost', 'mysql://localhost/x', 'postgres://db:port/x']],
    ['DB_SUBNAME',              ['', 'localhost/x', '//localhost', '//localhost/', '//localhost/a b', '//localhost:99999/x']],
    ['DB_MAX_POOL',             ['1', '1001']],
    ['MUTABLE_TAGS',            ['latest', 'dev,latest', 'a b', 'dev,,x', '(', '*/x']],
    ['MANIFEST_MAX_BYTES',      ['1023', '4MB', '67108865']],
    ['WORKER_THREADS',          ['0', '257']],
    ['BUFFER_MEMORY_MIB',       ['3', '65537']],
    ['SHUTDOWN_TIMEOUT',        ['-1', '3601']],
    ['SYSTEM_LOG_LEVEL',        ['loud', 'INFO', '']],
  ])('%s is read strictly', (name, values) => {
    for (const value of values) {
      const problems = problemsOf({ [name]: value });
      expect(problems, JSON.stringify(value)).toHaveLength(1);
      expect(problems[0]).toMatch(new RegExp(`^${name} must be .`));
    }
  });

  test('the sentence names the rule and the value', () => {
    expect(problemsOf({ HTTP_PORT: 'abc' })).toEqual([
      'HTTP_PORT must be a whole number from 0 to 65535; it is "abc"',
    ]);
  });

  test('several of one kind come at once', () => {
    expect(blamed({ HTTP_PORT: 'x', WORKER_THREADS: '0', SYSTEM_LOG_LEVEL: 'x' })).toEqual([
      'HTTP_PORT',
      'WORKER_THREADS',
      'SYSTEM_LOG_LEVEL',
    ]);
  });

  test('problems of every kind come at once', () => {
    const names = blamed({
      MGMT_HTTP_PORT: 'x',
      HTTP_HOST: '0.0.0.0',
      STORAGE_S3_PREFIX: 'team',
      HTTP_KIO_URL: 'https://kio.example.org',
      DATABASE_URL: 'postgres://localhost/a',
      DB_SUBNAME: '//localhost/a',
      BUFFER_MEMORY_MIB: '4',
      BUFFER_MEMORY_PER_UPLOAD_MIB: '8',
    });
    expect(names.toSorted()).toEqual([
      'BUFFER_MEMORY_PER_UPLOAD_MIB',
      'DATABASE_URL',
      'HTTP_HOST',
      'HTTP_KIO_URL',
      'MGMT_HTTP_PORT',
      'STORAGE_S3_PREFIX',
    ]);
  });

  test('one upload may not have more memory than all together', () => {
    const memory = { BUFFER_MEMORY_MIB: '16', BUFFER_MEMORY_PER_UPLOAD_MIB: '17' };
    expect(blamed(memory)).toEqual(['BUFFER_MEMORY_PER_UPLOAD_MIB']);
    expect(blamed({ ...memory, BUFFER_MEMORY_PER_UPLOAD_MIB: '16' })).toEqual([]);
  });
});

describe('the database', () => {
  test('DATABASE_URL is taken as it is', () => {
    const url = 'postgresql://me:it%40s@db.example:5433/pierone?sslmode=require';
    expect(readConfig({ DATABASE_URL: url }).database.url).toBe(url);
  });

  test.each([
    [{ DB_SUBNAME: '//localhost:5432/pierone' }, 'postgres:postgres@localhost:5432/pierone'],
    [{ DB_SUBNAME: '//db/a?ssl=true', DB_USER: 'me' }, 'me:postgres@db/a?ssl=true'],
    [{ DB_SUBNAME: '//db/a', DB_USER: 'a@b', DB_PASSWORD: 'p/w:#?' }, 'a%40b:p%2Fw%3A%23%3F@db/a'],
  ])('%j is what the original understood', (environment, expected) => {
    const { url } = readConfig(environment).database;
    expect(url).toBe(`postgresql://${expected}`);
    expect(URL.canParse(url ?? '')).toBe(true);
  });

  test('both is a problem that names both', () => {
    const both = { DATABASE_URL: 'postgres://a/b', DB_SUBNAME: '//a/b' };
    expect(problemsOf(both)).toEqual([expect.stringMatching(/DATABASE_URL and DB_SUBNAME/)]);
  });
});

describe('an unprotected registry', () => {
  test.each(['127.0.0.1', '127.8.9.10', 'localhost', '::1'])('may listen on %s', (host) => {
    expect(readConfig({ HTTP_HOST: host }).http.host).toBe(host);
  });

  test.each([
    '0.0.0.0',
    '::',
    '192.168.0.1',
    'registry.example',
    '128.0.0.1',
    '127.0.0.1.example',
    'localhost.example',
    '::ffff:1.2.3.4',
  ])('may listen on %s only when that is said to be meant', (host) => {
    expect(problemsOf({ HTTP_HOST: host })).toEqual([
      expect.stringMatching(/^HTTP_HOST is .*HTTP_ALLOW_UNPROTECTED=true/),
    ]);
    const { http } = readConfig({ HTTP_HOST: host, HTTP_ALLOW_UNPROTECTED: 'true' });
    expect(http.host).toBe(host);
  });
});

describe('variables of the original', () => {
  test.each(['PGSSLMODE', 'API_CLAIR_URL', 'JAVA_OPTS', 'HTTP_API_DEFINITION_SUFFIX'])(
    '%s does nothing, and that is said',
    (name) => {
      expect(readConfig({ [name]: 'x' }).notices).toEqual([
        expect.stringMatching(new RegExp(`^${name} is not honoured: .`)),
      ]);
    },
  );
});

describe('no secret is in a message', () => {
  const SECRET = 'hunter2';

  test.each<[string, Environment]>([
    ['DATABASE_URL', { DATABASE_URL: `mysql://me:${SECRET}@db/x` }],
    ['DATABASE_URL, unparsable', { DATABASE_URL: `postgres://me:${SECRET}@db:99999999/x` }],
    ['DB_SUBNAME with a password as parameter', { DB_SUBNAME: `//db?password=${SECRET}` }],
    ['DB_SUBNAME with credentials', { DB_SUBNAME: `//me:${SECRET}@db` }],
    ['DB_PASSWORD beside a problem', { DB_SUBNAME: '//db/x', DB_PASSWORD: SECRET, HTTP_PORT: 'x' }],
    ['both databases', { DATABASE_URL: `postgres://a:${SECRET}@b/c`, DB_SUBNAME: '//a/b' }],
    ['an endpoint with credentials', { STORAGE_S3_ENDPOINT: `https://me:${SECRET}@s3.example` }],
    ['an endpoint of clients', { STORAGE_S3_EXTERNAL_ENDPOINT: `https://me:${SECRET}@s3.example` }],
    [
      'a tokeninfo URL with credentials',
      { HTTP_TOKENINFO_URL: `https://me:${SECRET}@example.org` },
    ],
    ['a token key that is too short', { HTTP_TOKEN_KEY: SECRET }],
  ])('%s', (_, environment) => {
    const problems = problemsOf(environment);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toContain(SECRET);
  });

  test('notices', () => {
    const { notices } = readConfig({ API_CALLBACK_URL: SECRET, API_CLAIR_URL: SECRET });
    expect(notices).toHaveLength(2);
    expect(notices.join('\n')).not.toContain(SECRET);
  });
});

test('webhooks come with the variables that their file may name, and no others', () => {
  const { events } = readConfig({
    WEBHOOKS_FILE: '/etc/pierone/webhooks.json',
    WEBHOOK_DEPLOY: 'whsec_1',
    DB_PASSWORD: 'hunter2',
    HTTP_EXTERNAL_URL: 'https://pierone.example.org/',
  });
  expect(events.webhooks).toEqual({
    file: '/etc/pierone/webhooks.json',
    variables: { WEBHOOK_DEPLOY: 'whsec_1' },
    externalUrl: 'https://pierone.example.org',
  });
});

test('every setting is described, and its default is one that it accepts', () => {
  for (const { name, fallback, description } of describeSettings()) {
    expect(description, name).toMatch(/^[A-Z].*\.$/);
    if (fallback !== '' && !fallback.includes(' ')) {
      expect(problemsOf({ [name]: fallback }), name).toEqual([]);
    }
  }
});
