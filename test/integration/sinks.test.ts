import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AccessClient } from '../support/access-client.ts';
import { AuditReceiver } from '../support/audit-receiver.ts';
import { type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { archiveOf, SCM_SOURCE, scmFile } from '../support/layer-archives.ts';
import { makeFolder } from '../support/postgres.ts';
import { pushLayers } from '../support/scm-scene.ts';
import { leaksOf } from '../support/secrecy.ts';
import { useServers } from '../support/server-fixture.ts';
import { SNS_CREDENTIALS, type SnsEmulator, startSns } from '../support/sns-topics.ts';
import { waitUntil } from '../support/wait-until.ts';

const SERVICE = { uid: 'stups_pierone', password: 'pässword of the registry' };
const REGISTRY = 'pierone.example.org';

const servers = useServers();
let credentials: string;
let provider: IdentityProvider;
let receiver: AuditReceiver;
let sns: SnsEmulator;

beforeAll(async () => {
  credentials = await makeFolder();
  provider = await startIdentityProvider();
  provider.addEmployee({ uid: 'jdoe', teams: ['acme'] });
  provider.addEmployee({ ...SERVICE, teams: [] });
  receiver = await AuditReceiver.start();
  sns = await startSns();
});

afterAll(async () => {
  await sns?.close();
  await receiver?.close();
  await provider?.close();
  await rm(credentials, { recursive: true });
});

/** @returns settings of an audit service that knows tokens of the registry alone */
async function auditSettings(directory: string): Promise<Readonly<Record<string, string>>> {
  const { id, secret } = provider.client;
  const user = { application_username: SERVICE.uid, application_password: SERVICE.password };
  const client = { client_id: id, client_secret: secret };
  await writeFile(join(directory, 'user.json'), JSON.stringify(user));
  await writeFile(join(directory, 'client.json'), JSON.stringify(client));
  return {
    HTTPLOGGER_API_URL: receiver.url.href,
    OAUTH2_ACCESS_TOKEN_URL: provider.urlOf('token'),
    CREDENTIALS_DIR: directory,
  };
}

test('new tags reach an SQS queue and the audit service from a server, as the original would tell them', async () => {
  const topic = await sns.createTopic('pierone.fifo');
  const { server } = await servers.start({
    ...provider.environment,
    ...SNS_CREDENTIALS,
    ...(await auditSettings(credentials)),
    API_SNS_TOPIC_ARN: topic.arn,
    API_SNS_ENDPOINT: sns.url,
    API_REPOSITORY: REGISTRY,
  });
  const token = provider.issueToken('jdoe');
  const api = new AccessClient(server.url, { authorization: `Bearer ${token}` });
  // The audit service fails at first, and gets the same again.
  receiver.faults.push({ status: 500 });
  const layer = archiveOf([{ name: 'app/main' }, scmFile()]);
  await pushLayers(api, 'acme/shop/frontend', '1.0', [layer]);
  await pushLayers(api, 'acme/shop/frontend', '1.1-SNAPSHOT', [layer]);
  await pushLayers(api, 'acme/shop/frontend', '1.1-SNAPSHOT', [archiveOf([{ name: 'another' }])]);
  await pushLayers(api, 'acme/shop/frontend', '1.2', [archiveOf([{ name: 'no source' }])]);

  const tags = ['1.0', '1.1-SNAPSHOT', '1.2'];
  const published = await topic.take(tags.length);
  expect(published.map(({ message }) => message)).toEqual(
    tags.map(
      (tag) => `{"registry":"${REGISTRY}","team":"acme","image":"shop/frontend","tag":"${tag}"}`,
    ),
  );
  expect(new Set(published.map(({ group }) => group))).toEqual(new Set(['acme/shop/frontend']));

  const documents = await waitUntil('the audit events', () =>
    receiver.events.size >= tags.length ? receiver.documents : undefined,
  );
  const source = { ...SCM_SOURCE, created: expect.stringMatching(/Z$/) };
  expect(documents).toEqual(
    tags.map((tag) => ({
      event_type: { namespace: 'cloud.zalando.com', name: 'docker-tag-uploaded', version: '1' },
      triggered_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      triggered_by: { type: 'USER', id: 'jdoe', additional: { realm: '/employees' } },
      payload: {
        ...(tag === '1.2' ? {} : { scm_source: source }),
        tag: { team: 'acme', artifact: 'shop/frontend', tag, repository: REGISTRY },
      },
    })),
  );
  const [refused, repeated] = receiver.requests;
  expect(repeated).toEqual(refused);
  for (const { path, body } of receiver.requests) {
    expect(path).toBe(`/audit/events/${createHash('sha256').update(body).digest('hex')}`);
  }
  const ownToken = refused?.authorization?.slice('Bearer '.length) ?? '';
  expect(ownToken).toMatch(/\S/);
  for (const secret of [token, ownToken, SERVICE.password, provider.client.secret]) {
    expect(leaksOf(secret, [server.log, server.stderr])).toEqual([]);
  }
});

test('a registry that gets no token for the audit service says so at its start, and serves', async () => {
  const { server, api } = await servers.start({
    ...(await auditSettings(credentials)),
    OAUTH2_ACCESS_TOKEN_URL: `${provider.issuer}/nowhere`,
  });
  const line = await waitUntil('the warning', () =>
    server.log.find(({ msg }) => String(msg).startsWith('there is no token for HTTPLOGGER')),
  );
  expect(line).toMatchObject({
    level: 'warn',
    err: { message: expect.stringMatching(/^OAUTH2_ACCESS_TOKEN_URL: it grants no token/) },
  });
  await pushLayers(api, 'acme/app', '1', []);
});

test('an event that was under way when its server was killed is put to the same URL by the next one', async () => {
  const settings = { ...(await auditSettings(credentials)), API_REPOSITORY: REGISTRY };
  const { server, api } = await servers.start(settings);
  receiver.clear();
  receiver.faults.push('hang');
  await pushLayers(api, 'acme/killed', '1.0', [archiveOf([scmFile({ author: 'killed' })])]);
  await waitUntil('the first attempt', () => receiver.requests.length === 1);
  await server.kill();
  await servers.start(settings);
  await waitUntil('the second attempt', () => receiver.events.size === 1);
  const [first, second] = receiver.requests;
  expect(second).toMatchObject({ path: first?.path, body: first?.body });
  expect(first?.body).toContain('"author":"killed"');
});
