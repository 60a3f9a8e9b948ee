import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import type { HttpClient } from '../support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { useServers } from '../support/server-fixture.ts';
import { sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';
import {
  type Answer,
  type ReceiverFiles,
  startWebhookReceiver,
  type WebhookReceiver,
} from '../support/webhook-receiver.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/* A receiver in every trouble, two instances, and one of them killed in the middle of deliveries. */

const REPOSITORIES = Array.from({ length: 10 }, (_, n) => `acme/app-${n}`);
const TAGS_PER_ROUND = 20;
const ROUNDS = 5;
const CONFIG = sampleOf(Buffer.from('{}'));

interface Taken {
  readonly id: string;
  readonly repository: string;
  readonly tag: string;
}

const servers = useServers();
let workspace: Workspace;
let receiver: WebhookReceiver;
let files: { readonly trusted: ReceiverFiles; readonly untrusted: ReceiverFiles };

beforeAll(async () => {
  workspace = await createWorkspace();
  const filesOf = async (name: string): Promise<ReceiverFiles> => {
    const certFile = workspace.path(`${name}.pem`);
    const keyFile = workspace.path(`${name}-key.pem`);
    await makeCertificate(certFile, keyFile);
    return { certFile, keyFile };
  };
  files = { trusted: await filesOf('trusted'), untrusted: await filesOf('untrusted') };
});
afterAll(async () => {
  await receiver?.close();
  await workspace.dispose();
});

function tagsOf(round: number): string[] {
  return Array.from({ length: TAGS_PER_ROUND }, (_, n) => `${round}.${n}`);
}

/** 200 pushes, those of a repository one after the other. */
async function pushRound(api: HttpClient, round: number): Promise<void> {
  await Promise.all(
    REPOSITORIES.map(async (repository) => {
      await pushBlob(api, repository, CONFIG);
      for (const tag of tagsOf(round)) {
        await expectStatus(putManifest(api, repository, tag, imageOf(CONFIG, [], tag)), 201);
      }
    }),
  );
}

/** Why the last delivery failed. */
async function failsBecause(api: HttpClient, reason: string): Promise<void> {
  await waitUntil(`deliveries that fail: ${reason}`, async () => {
    const answer = await expectStatus(api.send('GET', '/events/deliveries'), 200);
    const { sinks } = JSON.parse(answer.body.toString());
    return String(sinks[0]?.last_error).includes(reason);
  });
}

test('every event of 1,000 pushes arrives, those of a repository in their order', async () => {
  const taken: Taken[] = [];
  const take: Answer = (response, n) => {
    const { data, id } = JSON.parse(receiver.calls[n]?.body ?? '');
    response.on('finish', () => taken.push({ id, repository: data.repository, tag: data.tag }));
    response.writeHead(204).end();
  };
  receiver = await startWebhookReceiver({ files: files.trusted, answer: take });
  const port = Number(new URL(receiver.url).port);
  const restart = async (options: Parameters<typeof startWebhookReceiver>[0]) => {
    receiver = await startWebhookReceiver({ port, ...options });
  };
  const file = workspace.path('webhooks.json');
  const secrets = [`whsec_${Buffer.alloc(32, 7).toString('base64')}`];
  const webhook = { name: 'deploy', url: receiver.url, secrets, timeoutSeconds: 1 };
  await writeFile(file, JSON.stringify({ webhooks: [{ ...webhook, caFile: 'trusted.pem' }] }));

  // The first one delivers; the other one takes over.
  const { server: a, api: apiOfA } = await servers.start({ WEBHOOKS_FILE: file });
  await expectStatus(
    pushBlob(apiOfA, 'acme/first', CONFIG).then(() =>
      putManifest(apiOfA, 'acme/first', '1', imageOf(CONFIG)),
    ),
    201,
  );
  await waitUntil('the first event', () => taken.length === 1);
  const { api: apiOfB } = await servers.start({ WEBHOOKS_FILE: file });

  await receiver.close();
  await pushRound(apiOfA, 0);
  await failsBecause(apiOfA, 'ECONNREFUSED');

  await restart({ files: files.untrusted, answer: take });
  await pushRound(apiOfB, 1);
  await failsBecause(apiOfB, 'SELF_SIGNED');

  await receiver.close();
  await restart({ files: files.trusted, answer: (response) => response.writeHead(500).end() });
  await pushRound(apiOfA, 2);
  await failsBecause(apiOfA, 'status 500');

  receiver.answer(() => undefined);
  await pushRound(apiOfB, 3);
  await failsBecause(apiOfB, 'no answer within 1000 ms');
  expect(taken).toHaveLength(1);

  const held: ServerResponse[] = [];
  receiver.answer((response, n, request) => {
    if (taken.length < 300) take(response, n, request);
    else held.push(response);
  });
  const lastRound = pushRound(apiOfB, 4);
  await waitUntil('deliveries under way', () => held.length > 0);
  await a.kill();
  const beforeTheKill = taken.map(({ id }) => id);
  expect(new Set(beforeTheKill)).toHaveLength(beforeTheKill.length);
  receiver.answer(take);
  await lastRound;

  const ids = () => new Set(taken.map(({ id }) => id));
  await waitUntil('every event', () => ids().size === 1 + 1000);
  await waitUntil('an empty outbox', async () => {
    return (await sql(servers.databaseUrl, 'select from outbox')).length === 0;
  });
  const expected = Array.from({ length: ROUNDS }, (_, round) => tagsOf(round)).flat();
  for (const repository of REPOSITORIES) {
    const tags = taken.filter((event) => event.repository === repository).map(({ tag }) => tag);
    expect([...new Set(tags)]).toEqual(expected);
  }
  const doubles = taken.filter(({ id }, n) => taken.findIndex((event) => event.id === id) < n);
  for (const { id } of doubles) expect(beforeTheKill).toContain(id);
});
