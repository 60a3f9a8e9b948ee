import { describe, expect, test } from 'vitest';
import { type AccessLine, createAccessLog, createLog } from '../../src/log.ts';

const SECRET = 'gbeyJhbGciOi';

/** What a log writes while `use` has it. */
function linesOf(use: (log: ReturnType<typeof createLog>) => void, level = 'trace'): string[] {
  const lines: string[] = [];
  use(createLog(level, { write: (line) => void lines.push(line) }));
  return lines;
}

test('a line is JSON with the level in words, a time, and no more than was given', () => {
  const [line = ''] = linesOf((log) => log.warn({ bytes: 7 }, 'hello'));
  expect(JSON.parse(line)).toEqual({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    bytes: 7,
    msg: 'hello',
  });
});

test('what is below the level is not written', () => {
  expect(linesOf((log) => log.info('hello'), 'warn')).toEqual([]);
  expect(linesOf((log) => log.warn('hello'), 'warn')).toHaveLength(1);
});

class Answer {
  readonly headers: object;

  constructor(headers: object) {
    this.headers = headers;
  }
}

/** A credential in the places where code puts one. */
const PLACES = (name: string): Readonly<Record<string, object>> => ({
  'at the top': { [name]: SECRET },
  'in an object': { request: { [name]: SECRET } },
  'in the headers of a request': { request: { headers: { [name]: SECRET } } },
  'in an object of a class': { request: new Answer({ [name]: SECRET }) },
  'in a list': { requests: [{ [name]: SECRET }] },
  'in several values': { [name]: [SECRET, SECRET] },
  'on an error': { err: Object.assign(new Error('failed'), { [name]: SECRET }) },
});

describe('credentials never reach the output', () => {
  test.each([
    'authorization',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'password',
    'token',
    'access_token',
    'refresh_token',
    'secret',
    'client_secret',
    'connectionString',
  ])('%s', (name) => {
    const leaks = Object.entries(PLACES(name)).filter(([, fields]) => {
      const lines = linesOf((log) => log.error(fields, 'failed'));
      expect(lines).toHaveLength(1);
      return lines.join().includes(SECRET);
    });
    expect(leaks.map(([place]) => place)).toEqual([]);
  });

  test('nor out of a child log', () => {
    const lines = linesOf((log) => log.child({ authorization: SECRET }).info('hello'));
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain(SECRET);
  });

  test('in whatever case it is written', () => {
    expect(linesOf((log) => log.info({ AUTHORIZATION: SECRET }, 'hello')).join()).not.toContain(
      SECRET,
    );
  });

  test('what is no credential stays', () => {
    const lines = linesOf((log) => log.info({ path: '/v2/', uid: 'me' }, 'hello'));
    expect(JSON.parse(lines.join())).toMatchObject({ path: '/v2/', uid: 'me' });
  });
});

test('a presigned URL loses what makes it valid, wherever it stands', () => {
  const query = `X-Amz-Credential=${SECRET}&X-Amz-Expires=300&X-Amz-Signature=${SECRET}`;
  const url = `https://s3.example.org/bucket/key?${query}&X-Amz-Security-Token=${SECRET}`;
  const lines = linesOf((log) => {
    log.info(url);
    log.info({ url, deep: { er: { url: [url] } } }, 'sent');
    log.error({ err: new Error(`GET ${url} failed`, { cause: new Error(url) }) }, 'failed');
    log.info({ headers: { Location: url } }, 'answered');
  });
  expect(lines).toHaveLength(4);
  expect(lines.join('')).not.toContain(SECRET);
  for (const line of lines) expect(() => void JSON.parse(line)).not.toThrow();
  expect(lines[0]).toContain('X-Amz-Expires=300');
});

test('what says itself how it is written does', () => {
  const fields = { at: new Date(0), to: new URL('http://127.0.0.1/a'), none: null, list: [1, {}] };
  const lines = linesOf((log) => log.info(fields, 'hello'));
  const written: unknown = JSON.parse(JSON.stringify(fields));
  expect(JSON.parse(lines.join())).toMatchObject(Object(written));
});

describe('the line of a request', () => {
  const LINE: AccessLine = {
    requestId: 'a-1',
    method: 'GET',
    path: '/v2/"\n\u0000/',
    route: 'none',
    status: 404,
    receivedBytes: 1,
    sentBytes: 2,
    ms: 0.5,
    endMs: Date.UTC(2026, 10, 30),
    client: '::1',
    uid: 'me"',
    userAgent: 'a\u2028"b',
    code: 'NAME_INVALID',
    isCut: true,
    trace: { traceId: 'aa', spanId: 'bb', headers: {} },
  };

  test('is JSON, whatever the client wrote', () => {
    const { trace, endMs, ...rest } = LINE;
    const [line = ''] = linesOf((log) => createAccessLog(log)?.(LINE));
    expect(line.endsWith('\n')).toBe(true);
    expect(JSON.parse(line)).toEqual({
      ...rest,
      level: 'info',
      time: new Date(endMs).toISOString(),
      trace_id: trace?.traceId,
      span_id: trace?.spanId,
      msg: 'request',
    });
  });

  test('lacks what is not known', () => {
    const unknown = { status: undefined, uid: undefined, userAgent: undefined, code: undefined };
    const [line = ''] = linesOf((log) =>
      createAccessLog(log)?.({ ...LINE, ...unknown, isCut: false, trace: undefined }),
    );
    const keys = ['level', 'time', 'requestId', 'method', 'path', 'route', 'receivedBytes'];
    const written: unknown = JSON.parse(line);
    expect(Object.keys(Object(written))).toEqual([...keys, 'sentBytes', 'ms', 'client', 'msg']);
  });

  test('is not written where the level is above info', () => {
    expect(createAccessLog(createLog('warn', { write: () => undefined }))).toBeUndefined();
  });
});

test('what S3 says of a signature that it refuses is not written', () => {
  const err = Object.assign(new Error('refused'), {
    AWSAccessKeyId: SECRET,
    SignatureProvided: SECRET,
    StringToSign: SECRET,
    CanonicalRequest: SECRET,
  });
  expect(linesOf((log) => log.error({ err }, 'failed')).join('')).not.toContain(SECRET);
});
