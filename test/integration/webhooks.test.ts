import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { JsonValue } from '../support/json.ts';
import { execute, startInBackground } from '../support/process-runner.ts';
import {
  expectStatus,
  imageOf,
  OCI_MANIFEST,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { leaksOf } from '../support/secrecy.ts';
import { useServers } from '../support/server-fixture.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/* From a push to receivers, through the built server as a process. */

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../docs/webhook-receiver.js', import.meta.url));
const KEY = Buffer.alloc(32, 7).toString('base64');
const CONFIG = sampleOf(Buffer.from('{}'));
const EXTERNAL_URL = 'https://pierone.example.org';

const servers = useServers();
let workspace: Workspace;
let receiver: WebhookReceiver;

beforeAll(async () => {
  workspace = await createWorkspace();
  await writeFile(workspace.path('token'), 'Bearer hunter2\n');
});
beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => receiver.close());
afterAll(() => workspace.dispose());

async function fileOf(...webhooks: object[]): Promise<string> {
  const file = workspace.path('webhooks.json');
  await writeFile(file, JSON.stringify({ webhooks }));
  return file;
}

test('a push is told to each receiver in its format, and a refusal to whom wants that', async () => {
  const child = startInBackground(process.execPath, [EXAMPLE], {
    env: { WEBHOOK_SECRET: `whsec_${KEY}`, PORT: '0' },
  });
  workspace.defer(() => child.end());
  const example = await waitUntil('the example', () => /http:\S+/.exec(child.screen())?.[0]);
  const secrets = [{ variable: 'WEBHOOK_DEPLOY' }];
  const kinds = ['created', 'replaced', 'refused'];
  const headers = { Authorization: { file: 'token' } };
  const url = `${receiver.url}/hunter2`;
  const file = await fileOf(
    { name: 'example', url: example, secrets, kinds },
    { name: 'scanner', url, format: 'distribution', headers, teams: ['acme'] },
  );
  const { server, api } = await servers.start({
    WEBHOOKS_FILE: file,
    WEBHOOK_DEPLOY: `whsec_${KEY}`,
    HTTP_EXTERNAL_URL: EXTERNAL_URL,
  });
  const images = ['a', 'b', 'c'].map((note) => imageOf(CONFIG, [], note));
  const [first, second, third] = images.map(({ digest }) => digest);
  const push = async (repository: string, tag: string, n: number, status = 201) => {
    await pushBlob(api, repository, CONFIG);
    const image = images[n] ?? CONFIG;
    await expectStatus(putManifest(api, repository, tag, image), status);
  };
  await push('acme/app', '1-SNAPSHOT', 0);
  await push('acme/app', '1-SNAPSHOT', 1);
  await push('acme/app', '1.0', 2);
  await push('acme/app', '1.0', 0, 409);
  await push('shop/app', '1.0', 0);

  await waitUntil('the calls in the format of distribution', () => receiver.calls.length === 3);
  const targets = receiver.calls.map(({ body }) =>
    JsonValue.parse(body).at('events').items[0]?.at('target'),
  );
  expect(targets.map((target) => target?.at('tag').text)).toEqual([
    '1-SNAPSHOT',
    '1-SNAPSHOT',
    '1.0',
  ]);
  expect(JSON.parse(receiver.calls[2]?.body ?? '')).toMatchObject({
    events: [
      {
        action: 'push',
        actor: { name: 'anonymous' },
        target: {
          digest: third,
          mediaType: OCI_MANIFEST,
          size: images[2]?.bytes.length,
          repository: 'acme/app',
          url: `${EXTERNAL_URL}/v2/acme/app/manifests/${third}`,
        },
      },
    ],
  });
  expect(receiver.calls[0]?.headers).toMatchObject({ authorization: 'Bearer hunter2' });

  const handled = () =>
    child
      .screen()
      .split('\n')
      .filter((line) => line.startsWith('io.pierone'));
  await waitUntil('the calls as CloudEvents', () => handled().length === 5);
  expect(handled().filter((line) => line.includes(' acme/'))).toEqual([
    `io.pierone.tag.created acme/app:1-SNAPSHOT ${first}`,
    `io.pierone.tag.replaced acme/app:1-SNAPSHOT ${second}`,
    `io.pierone.tag.created acme/app:1.0 ${third}`,
    `io.pierone.tag.refused acme/app:1.0 ${first}`,
  ]);

  const shown = JSON.parse((await api.send('GET', '/events/deliveries')).body.toString());
  expect(shown.sinks).toMatchObject([
    { name: 'webhook:example', description: `webhook at ${example}, format cloudevents` },
    { name: 'webhook:scanner', description: `webhook at ${receiver.url}, format distribution` },
  ]);
  const warned = server.log.filter(({ webhook }) => webhook !== undefined);
  expect(warned.map(({ webhook, level }) => [webhook, level])).toEqual([
    ['example', 'warn'],
    ['scanner', 'warn'],
  ]);
  await server.stop();
  for (const secret of ['hunter2', KEY]) {
    expect(leaksOf(secret, [server.log, server.stderr, shown])).toEqual([]);
  }
});

test('with a file that can’t be used it says all that is wrong, and does not start', async () => {
  const file = await fileOf(
    { name: 'a', url: 'ftp://hunter2', secrets: ['hunter2'] },
    { name: 'b', url: receiver.url, secrets: [{ variable: 'WEBHOOK_B' }], caFile: 'token' },
  );
  const env = {
    DATABASE_URL: servers.databaseUrl,
    STORAGE_DIRECTORY: servers.storage.path,
    HTTP_PORT: '0',
    MGMT_HTTP_PORT: '0',
    WEBHOOKS_FILE: file,
  };
  const { exitCode, stdout, stderr } = await execute(process.execPath, [MAIN], { env });
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    `pierone: WEBHOOKS_FILE ${file}: webhooks[0].url must be a URL, as in https://example.org/hook; webhooks[1].caFile must be unset with a URL that is not https; webhooks[1].secrets[0] names a variable that is not set; webhooks[1].caFile must be a PEM file of certificates\n`,
  );
  expect(leaksOf('hunter2', [stdout, stderr])).toEqual([]);
  expect(await readFile(file, 'utf8')).toContain('hunter2');
});
