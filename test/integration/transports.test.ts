import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { HttpClient } from '../support/http-client.ts';
import { RawClient } from '../support/raw-http.ts';
import { pushBlob, randomSample } from '../support/sample-content.ts';
import type { LogLine } from '../support/server.ts';
import { useServers } from '../support/server-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

/** As on a machine for which uWebSockets.js has no binary. */
const WITHOUT_UWS = `
import { register } from 'node:module';
const hooks = \`export function resolve(name, context, next) {
  if (name === 'uWebSockets.js') throw new Error('no binary for this machine');
  return next(name, context);
}\`;
register('data:text/javascript,' + encodeURIComponent(hooks));
`;

const fixture = useServers();
let directory: string;
const file = (name: string) => join(directory, name);
const withoutUws = () => ({
  NODE_OPTIONS: `--import=${pathToFileURL(file('without-uws.mjs')).href}`,
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pierone-transports-'));
  await writeFile(file('without-uws.mjs'), WITHOUT_UWS);
  await makeCertificate(file('first.pem'), file('first.key'));
  await makeCertificate(file('second.pem'), file('second.key'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function expectWorks(api: HttpClient): Promise<void> {
  const blob = randomSample(5 * MIB + 1);
  await pushBlob(api, 'acme/app', blob);
  const { status, body } = await api.send('GET', `/v2/acme/app/blobs/${blob.digest}`);
  expect([status, body.equals(blob.bytes)]).toEqual([200, true]);
}

const warnings = (log: readonly LogLine[]) => log.filter((line) => line['level'] === 'warn');

test('HTTP_TRANSPORT=node serves a push and a pull, without a warning', async () => {
  const { server, api } = await fixture.start({ HTTP_TRANSPORT: 'node' });
  await expectWorks(api);
  expect((await api.send('GET', '/v2/')).headers['uwebsockets']).toBeUndefined();
  expect(warnings(server.log)).toEqual([]);
  expect(await server.stop()).toBe(0);
});

describe('where uWebSockets.js cannot be loaded', () => {
  test('node:http serves instead, and one line warns of it', async () => {
    const { server, api } = await fixture.start(withoutUws());
    await expectWorks(api);
    expect(warnings(server.log)).toEqual([
      expect.objectContaining({
        reason: 'no binary for this machine',
        msg: 'uWebSockets.js cannot be loaded here: using the slower node:http',
      }),
    ]);
  });

  test('HTTP_TRANSPORT=uws is refused with a sentence', async () => {
    const starting = fixture.start({ ...withoutUws(), HTTP_TRANSPORT: 'uws' });
    await expect(starting).rejects.toThrow(
      /ended with code 1\n[^]*\npierone: uWebSockets\.js can't be loaded here \(no binary for this machine\): set HTTP_TRANSPORT=node, or unset it$/,
    );
  });
});

describe.each(['uws', 'node'])('TLS with HTTP_TRANSPORT=%s', (transport) => {
  const use = async (certificate: 'first' | 'second') => {
    await copyFile(file(`${certificate}.pem`), file('cert.pem'));
    await copyFile(file(`${certificate}.key`), file('key.pem'));
  };
  const settings = () => ({
    HTTP_TRANSPORT: transport,
    HTTP_TLS_CERT_FILE: file('cert.pem'),
    HTTP_TLS_KEY_FILE: file('key.pem'),
  });
  const fingerprint = async (url: string) => {
    const client = await RawClient.openTls(Number(new URL(url).port));
    const of = client.certificateFingerprint;
    client.destroy();
    return of;
  };

  test('serves a push and a pull, and picks up a renewed certificate', async () => {
    await use('first');
    const { server } = await fixture.start(settings());
    const api = new HttpClient(server.url, new Agent({ rejectUnauthorized: false }));
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    await expectWorks(api);
    const before = await fingerprint(server.url);
    await use('second');
    await waitUntil('the renewed certificate', () =>
      server.log.some(({ msg }) => msg === 'new connections get the renewed certificate'),
    );
    expect(await fingerprint(server.url)).not.toBe(before);
    await expectWorks(api);
    expect(await server.stop()).toBe(0);
  });

  test('refuses to start with a key that belongs to another certificate', async () => {
    await use('first');
    await copyFile(file('second.key'), file('key.pem'));
    await expect(fixture.start(settings())).rejects.toThrow(
      /ended with code 1\n[^]*\npierone: [^\n]*key\.pem \(HTTP_TLS_KEY_FILE\) holds no key/,
    );
  });
});
