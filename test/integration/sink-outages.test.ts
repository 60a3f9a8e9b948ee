import { setTimeout as delay } from 'node:timers/promises';
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
import { type SnsEmulator, type SnsTopic, startSns } from '../support/sns-topics.ts';
import { sql } from '../support/test-registry.ts';
import {
  AUDIT,
  type Certificates,
  sinkSettings,
  snsFront,
  type Trouble,
  TroubledSink,
  WEBHOOK,
} from '../support/troubled-sinks.ts';
import { waitUntil } from '../support/wait-until.ts';
import type { ReceiverFiles } from '../support/webhook-receiver.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/*
 * All sinks in every trouble at the same time, two instances, and one of them killed in the middle of deliveries.
 * OUTAGE_SECONDS is how long each trouble lasts at least, after deliveries have failed because of it.
 */
const OUTAGE_MS = Number(process.env['OUTAGE_SECONDS'] ?? 0) * 1000;

const REPOSITORIES = Array.from({ length: 10 }, (_, n) => `acme/app-${n}`);
const TAGS_PER_ROUND = 20;
const PUSHES = 1000;
/** What the sinks say of each. */
const TROUBLES: Readonly<Record<Trouble, RegExp>> = {
  down: /ECONNREFUSED/,
  untrusted: /SELF_SIGNED|certificate/i,
  failing: /status 500/,
  silent: /longer than|within|in time/,
};
const CONFIG = sampleOf(Buffer.from('{}'));

const servers = useServers();
let workspace: Workspace;
let certificates: Certificates;
let emulator: SnsEmulator;
let topic: SnsTopic;
let sinks: { webhook: TroubledSink; audit: TroubledSink; sns: TroubledSink };
const all = () => Object.values(sinks);

beforeAll(async () => {
  workspace = await createWorkspace();
  const filesOf = async (name: string): Promise<ReceiverFiles> => {
    const certFile = workspace.path(`${name}.pem`);
    const keyFile = workspace.path(`${name}-key.pem`);
    await makeCertificate(certFile, keyFile);
    return { certFile, keyFile };
  };
  certificates = { trusted: await filesOf('trusted'), untrusted: await filesOf('untrusted') };
  emulator = await startSns();
  topic = await emulator.createTopic('pierone.fifo');
  sinks = {
    webhook: await TroubledSink.start(WEBHOOK, certificates),
    audit: await TroubledSink.start(AUDIT, certificates),
    sns: await TroubledSink.start(snsFront(emulator), certificates),
  };
});
afterAll(async () => {
  for (const sink of all()) await sink.close();
  await emulator.close();
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

/** Why the last delivery to each failed. */
async function failBecause(api: HttpClient, reason: RegExp): Promise<void> {
  let errors: unknown[] = [];
  const hasHappened = async () => {
    const answer = await expectStatus(api.send('GET', '/events/deliveries'), 200);
    const report: { sinks: { last_error: unknown }[] } = JSON.parse(answer.body.toString());
    errors = report.sinks.map((sink) => sink.last_error);
    return errors.length === all().length && errors.every((error) => reason.test(String(error)));
  };
  await waitUntil(`deliveries that fail: ${reason}`, hasHappened).catch((error: unknown) => {
    throw new Error(`the sinks say ${JSON.stringify(errors)}`, { cause: error });
  });
}

const TIMEOUT_MS = 300_000 + 5 * OUTAGE_MS;

test('every event of 1,000 pushes reaches every sink, those of a repository in their order', {
  timeout: TIMEOUT_MS,
}, async () => {
  const settings = await sinkSettings(workspace, sinks, certificates, topic.arn);
  // The first one delivers; the other one takes over.
  const { server: a, api: apiOfA } = await servers.start(settings);
  await pushBlob(apiOfA, 'acme/first', CONFIG);
  await expectStatus(putManifest(apiOfA, 'acme/first', '1', imageOf(CONFIG)), 201);
  await waitUntil('the first event', () => all().every(({ taken }) => taken.length === 1));
  const { api: apiOfB } = await servers.start(settings);

  const troubles: Trouble[] = ['down', 'untrusted', 'failing', 'silent'];
  for (const [round, trouble] of troubles.entries()) {
    for (const sink of all()) await sink.trouble(trouble);
    await pushRound(round % 2 === 0 ? apiOfA : apiOfB, round);
    await failBecause(apiOfB, TROUBLES[trouble]);
    await delay(OUTAGE_MS);
  }
  for (const { taken } of all()) expect(taken).toHaveLength(1);

  for (const sink of all()) {
    await sink.trouble(undefined);
    sink.holdAfter(300);
  }
  const lastRound = pushRound(apiOfB, troubles.length);
  await waitUntil('deliveries under way', () => all().every(({ held }) => held > 0));
  await a.kill();
  const takenBefore = new Map(all().map(({ name, taken }) => [name, taken.map(({ id }) => id)]));
  for (const ids of takenBefore.values()) expect(new Set(ids)).toHaveLength(ids.length);
  for (const sink of all()) sink.holdAfter(Number.POSITIVE_INFINITY);
  await lastRound;

  await waitUntil('every event', () => all().every(({ ids }) => ids.size === 1 + PUSHES));
  await waitUntil('an empty outbox', async () => {
    return (await sql(servers.databaseUrl, 'select from outbox')).length === 0;
  });
  for (const { name, taken } of all()) {
    for (const repository of REPOSITORIES) expectInOrder(taken, repository);
    const doubles = taken.filter(({ id }, n) => taken.findIndex((event) => event.id === id) < n);
    for (const { id } of doubles) expect(takenBefore.get(name)).toContain(id);
  }
  const published = await topic.take(1 + PUSHES);
  expect(new Set(published.map(({ deduplicationId }) => deduplicationId))).toEqual(sinks.sns.ids);
});

function expectInOrder(taken: TroubledSink['taken'], repository: string): void {
  const tags = taken.filter((event) => event.repository === repository).map(({ tag }) => tag);
  const rounds = Array.from({ length: PUSHES / REPOSITORIES.length / TAGS_PER_ROUND }, (_, n) => n);
  expect([...new Set(tags)]).toEqual(rounds.flatMap(tagsOf));
}
