import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AuditSink } from '../../src/events/audit-sink.ts';
import { ServiceToken } from '../../src/events/service-token.ts';
import { DeliveryError } from '../../src/events/sink.ts';
import type { FoundScmSource } from '../../src/oci/scm-source.ts';
import { AuditReceiver } from '../support/audit-receiver.ts';
import { makeCertificate } from '../support/certificates.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { PROVIDER_FAULTS } from '../support/identity-provider-faults.ts';
import { makeFolder } from '../support/postgres.ts';
import { registryEvent } from '../support/registry-events.ts';
import { sha256Of } from '../support/vocabulary.ts';

const NEVER = new AbortController().signal;
const TIMEOUT_MS = 300;
const UID = 'stups_pierone';
const PASSWORD = 'p&ssword of the user';
const SOURCE: FoundScmSource = {
  url: 'git:git@github.com:acme/shop.git',
  revision: 'abc',
  author: 'jdoe',
  status: '',
  created: new Date('2026-11-23T08:15:31.001Z'),
  origin: 'file',
  digest: sha256Of('3'),
};

let provider: IdentityProvider;
let receiver: AuditReceiver;
let directory: string;
let now: number;

beforeAll(async () => {
  provider = await startIdentityProvider();
});

afterAll(() => provider?.close());

beforeEach(async () => {
  now = 0;
  directory = await makeFolder();
  provider.mend();
  provider.clear();
  provider.addEmployee({ uid: UID, teams: [], password: PASSWORD });
  await writeCredentials(PASSWORD);
  receiver = await AuditReceiver.start();
});

afterEach(async () => {
  await receiver.close();
  await rm(directory, { recursive: true });
});

function put(name: string, content: unknown): Promise<void> {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return writeFile(join(directory, name), text);
}

async function writeCredentials(password: string): Promise<void> {
  const { id, secret } = provider.client;
  await put('user.json', { application_username: UID, application_password: password });
  await put('client.json', { client_id: id, client_secret: secret });
}

/** A token's life is an hour by the clock of the test. */
function openToken(): ServiceToken {
  const url = new URL(provider.urlOf('token'));
  return new ServiceToken({ url, directory, timeoutMs: TIMEOUT_MS, now: () => now });
}

function openSink(token = openToken(), url = receiver.url): AuditSink {
  return new AuditSink({
    url,
    registry: 'pierone.example.org',
    token,
    sources: { of: () => Promise.resolve(SOURCE) },
    timeoutMs: TIMEOUT_MS,
  });
}

function newEvent() {
  return registryEvent({
    id: randomUUID(),
    happened: new Date(Date.UTC(2026, 10, 23, 8, 15, now)),
  });
}

async function failureOf(action: Promise<unknown>): Promise<DeliveryError> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  if (!(error instanceof DeliveryError)) throw new TypeError(`no DeliveryError: ${String(error)}`);
  return error;
}

describe('the audit sink', () => {
  test('puts the event of the original below the digest of its text, with the token of the registry', async () => {
    await openSink().deliver(newEvent(), NEVER);
    expect(receiver.requests).toEqual([
      expect.objectContaining({ method: 'PUT', contentType: 'application/json' }),
    ]);
    expect(receiver.documents).toEqual([
      {
        event_type: { namespace: 'cloud.zalando.com', name: 'docker-tag-uploaded', version: '1' },
        triggered_at: '2026-11-23T08:15:00.000Z',
        triggered_by: { type: 'USER', id: 'alice', additional: { realm: '/employees' } },
        payload: {
          scm_source: {
            url: SOURCE.url,
            revision: 'abc',
            author: 'jdoe',
            status: '',
            created: '2026-11-23T08:15:31.001Z',
          },
          tag: {
            team: 'acme',
            artifact: 'shop/frontend',
            tag: '1.0',
            repository: 'pierone.example.org',
          },
        },
      },
    ]);
    const [request] = provider.requests('token');
    const form = Object.fromEntries(new URLSearchParams(request?.body));
    expect(form).toEqual({
      grant_type: 'password',
      username: UID,
      password: PASSWORD,
      scope: 'uid',
    });
  });

  test('sends the same again after a failure, though another source is known by then', async () => {
    const found: FoundScmSource[] = [];
    const sink = new AuditSink({
      url: receiver.url,
      registry: undefined,
      token: openToken(),
      sources: { of: () => Promise.resolve(found[0]) },
    });
    const event = newEvent();
    receiver.faults.push({ status: 500 });
    await failureOf(sink.deliver(event, NEVER));
    found.push(SOURCE);
    await sink.deliver(event, NEVER);
    const [first, second] = receiver.requests;
    expect(second).toEqual(first);
  });

  test.each([
    ['redirects', { status: 302, headers: { location: '/elsewhere' } }, /redirects.*HTTPLOGGER/],
    ['forbids', { status: 403 }, /status 403.*CREDENTIALS_DIR/],
    ['knows nothing', { status: 404 }, /HTTPLOGGER_API_URL/],
    ['answers 500', { status: 500 }, /^it answers with status 500$/],
    ['resets the connection', 'reset', /can not be reached/],
    ['never answers', 'hang', /no answer within 300 ms/],
  ] as const)('says what to do when the service %s', async (_, fault, expected) => {
    receiver.faults.push(fault);
    const { message } = await failureOf(openSink().deliver(newEvent(), NEVER));
    expect(message).toMatch(expected);
    expect(message).not.toMatch(/no text of an audit service/);
    expect(receiver.requests).toHaveLength(1);
  });

  test('is told by the service when to come back', async () => {
    receiver.faults.push({ status: 503, headers: { 'retry-after': '7' } });
    const { retryAfterMs } = await failureOf(openSink().deliver(newEvent(), NEVER));
    expect(retryAfterMs).toBe(7000);
  });

  test('says what to do about a certificate that nobody signed', async () => {
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    await makeCertificate(cert, key);
    const files = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    const closed = await AuditReceiver.start(files);
    const sink = openSink(openToken(), closed.url);
    const { message } = await failureOf(sink.deliver(newEvent(), NEVER));
    await closed.close();
    expect(message).toMatch(/NODE_EXTRA_CA_CERTS/);
    expect(closed.requests).toEqual([]);
  });

  test('ends with its delivery', async () => {
    receiver.faults.push('hang');
    const signal = AbortSignal.timeout(100);
    const { message } = await failureOf(openSink().deliver(newEvent(), signal));
    expect(message).toMatch(/no answer/);
  });

  test('gets one new token when the service refuses the old one', async () => {
    const sink = openSink();
    await sink.deliver(newEvent(), NEVER);
    const refused = receiver.requests[0]?.authorization?.slice('Bearer '.length);
    receiver.accepts = (token) => token !== refused;
    now += 1;
    await sink.deliver(newEvent(), NEVER);
    expect(provider.count('token')).toBe(2);
    expect(receiver.events.size).toBe(2);
  });

  test('gives up when the service refuses the new one too', async () => {
    receiver.accepts = () => false;
    const { message } = await failureOf(openSink().deliver(newEvent(), NEVER));
    expect(message).toMatch(/refuses the token .*status 401.*CREDENTIALS_DIR/);
    expect(receiver.requests).toHaveLength(2);
  });
});

describe('the token of the registry', () => {
  const MINUTE = 60_000;

  test('is asked for once, whoever waits for it, and renewed before it expires', async () => {
    const token = openToken();
    const [first, ...others] = await Promise.all([token.get(), token.get(), token.get()]);
    expect(new Set(others)).toEqual(new Set([first]));
    now = 35 * MINUTE;
    expect(await token.get()).toBe(first);
    now = 37 * MINUTE;
    expect(await token.get()).not.toBe(first);
    expect(provider.count('token')).toBe(2);
  });

  test.each(Object.entries(PROVIDER_FAULTS))(
    'serves as long as it is valid while its server %s, and then that is said',
    async (_, fault) => {
      const token = openToken();
      const first = await token.get();
      const planned = provider.plan('token', fault);
      now = 37 * MINUTE;
      expect(await token.get()).toBe(first);
      expect(await token.get()).toBe(first);
      expect(planned.count()).toBe(1);
      now = 61 * MINUTE;
      const { message } = await failureOf(token.get());
      expect(message).toMatch(/OAUTH2_ACCESS_TOKEN_URL/);
      planned.end();
      expect(await token.get()).not.toBe(first);
    },
  );

  test('is asked for with credentials that were rotated', async () => {
    const token = openToken();
    await token.get();
    provider.addEmployee({ uid: UID, teams: [], password: 'another' });
    now = 61 * MINUTE;
    expect((await failureOf(token.get())).message).toMatch(
      /grants no token \(status 400\): are user\.json and client\.json in CREDENTIALS_DIR right/,
    );
    await writeCredentials('another');
    expect(await token.get()).toMatch(/\S/);
  });

  test('is that in a file, read anew each time, where there is one', async () => {
    await put('http-audit-logger-token-secret', 'a-ready-token\n');
    const token = new ServiceToken({ url: undefined, directory });
    expect(await token.get()).toBe('a-ready-token');
    await put('http-audit-logger-token-secret', 'the-next-one');
    expect(await token.get()).toBe('the-next-one');
    expect(await openToken().get()).toBe('the-next-one');
    expect(provider.count('token')).toBe(0);
  });

  test.each([
    ['no user.json', 'user.json', undefined, /neither user\.json nor http-audit-logger-token/],
    ['a client.json that is no JSON', 'client.json', '{"client_secret": hunter2', /client_secret$/],
    [
      'a user.json without password',
      'user.json',
      '{"application_username":"hunter2"}',
      /_password/,
    ],
    ['a token of two lines', 'http-audit-logger-token-secret', 'hunter\n2', /holds no token/],
  ])(
    'is missing with %s, which is told without what is in there',
    async (_, name, text, expected) => {
      if (text === undefined) await rm(join(directory, name));
      else await put(name, text);
      const { message, cause } = await failureOf(openToken().get());
      expect(message).toMatch(expected);
      expect(message).not.toMatch(/hunter/);
      expect(cause).toBeUndefined();
    },
  );

  test('is missing where there is neither a file nor a server', async () => {
    const token = new ServiceToken({ url: undefined, directory: join(directory, 'nowhere') });
    expect((await failureOf(token.get())).message).toMatch(
      /no file http-audit-logger-token-secret.*OAUTH2_ACCESS_TOKEN_URL/,
    );
  });
});
