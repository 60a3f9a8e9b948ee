import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readWebhooksFile, type Variables } from '../../../src/events/webhooks-file.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { run } from '../../support/process-runner.ts';
import { leaksOf } from '../../support/secrecy.ts';
import { createWorkspace, type Workspace } from '../../support/workspace.ts';

const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(24, 9);
const SECRET = `whsec_${KEY.toString('base64')}`;
const OTHER_SECRET = `whsec_${OTHER_KEY.toString('base64')}`;
const MINIMAL = { name: 'deploy', url: 'https://deploy.example.org/hook', secrets: [SECRET] };

let workspace: Workspace;
let file: string;

beforeAll(async () => {
  workspace = await createWorkspace();
  await mkdir(workspace.path('etc'));
  file = workspace.path('etc', 'webhooks.json');
  await writeFile(workspace.path('etc', 'secret'), `${SECRET}\n`);
  await writeFile(workspace.path('etc', 'empty'), ' \n');
  await makeCertificate(workspace.path('etc', 'ca.pem'), workspace.path('etc', 'key.pem'));
  await run('mkfifo', [workspace.path('etc', 'pipe')]);
});
afterAll(() => workspace.dispose());
beforeEach(() => writeFile(file, ''));

async function read(content: unknown, variables: Variables = {}) {
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readWebhooksFile(file, variables);
}

const readOne = async (webhook: object, variables?: Variables) =>
  (await read({ webhooks: [{ ...MINIMAL, ...webhook }] }, variables))[0];

async function problemsOf(content: unknown, variables?: Variables): Promise<string> {
  const error: unknown = await read(content, variables).then(
    () => new Error('nothing is wrong'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('no error');
  expect(error).toMatchObject({ name: 'WebhooksFileError' });
  for (const secret of [SECRET, KEY.toString('base64'), 'hunter2']) {
    expect(leaksOf(secret, error)).toEqual([]);
  }
  return error.message.replace(`WEBHOOKS_FILE ${file}: `, '');
}

describe('what the file says', () => {
  test('little, and the rest is as usual', async () => {
    expect(await readOne({})).toEqual({
      name: 'deploy',
      url: new URL('https://deploy.example.org/hook'),
      format: 'cloudevents',
      teams: undefined,
      kinds: new Set(['created', 'replaced']),
      keys: [KEY],
      headers: {},
      timeoutMs: 15_000,
      ca: undefined,
    });
  });

  test('everything', async () => {
    const webhook = await readOne({
      teams: ['acme', 'shop'],
      kinds: ['created', 'refused', 'denied'],
      timeoutSeconds: 60,
      headers: { Authorization: 'Bearer hunter2', 'X-Stage': 'production' },
      caFile: 'ca.pem',
    });
    expect(webhook).toMatchObject({
      teams: new Set(['acme', 'shop']),
      kinds: new Set(['created', 'refused', 'denied']),
      timeoutMs: 60_000,
      headers: { authorization: 'Bearer hunter2', 'x-stage': 'production' },
      ca: expect.stringContaining('BEGIN CERTIFICATE'),
    });
  });

  test('secrets in files beside it, and in variables; two while they are changed', async () => {
    const secrets = [{ file: 'secret' }, { variable: 'WEBHOOK_DEPLOY' }];
    const webhook = await readOne({ secrets }, { WEBHOOK_DEPLOY: OTHER_SECRET });
    expect(webhook?.keys).toEqual([KEY, OTHER_KEY]);
  });

  test('headers in files and variables', async () => {
    const headers = { a: { file: workspace.path('etc', 'secret') }, b: { variable: 'WEBHOOK_B' } };
    const webhook = await readOne({ headers }, { WEBHOOK_B: 'Basic eA==' });
    expect(webhook?.headers).toEqual({ a: SECRET, b: 'Basic eA==' });
  });

  test('the format of distribution, which needs no secret', async () => {
    const webhook = await readOne({ format: 'distribution', secrets: undefined });
    expect(webhook).toMatchObject({ format: 'distribution', keys: [] });
  });

  test('plain HTTP', async () => {
    expect((await readOne({ url: 'http://10.0.0.7:8000/' }))?.url.protocol).toBe('http:');
  });

  test('no webhook', async () => {
    expect(await read({ webhooks: [] })).toEqual([]);
  });
});

describe('a file that is none', () => {
  test.each<[string, string, string]>([
    ['nothing', '', 'it holds no JSON'],
    ['a half', '{"webhooks": [{"secrets": ["hunter2', 'it holds no JSON'],
    ['a list', '[]', 'the whole must be an object with a list webhooks'],
    ['nothing known', '{"hooks": 1}', 'webhooks must be a list of webhooks; the whole has "hooks"'],
  ])('%s', async (_, content, expected) => {
    expect(await problemsOf(content)).toContain(expected);
  });

  test.each([
    ['missing', "can't be read (ENOENT)"],
    ['', 'is no regular file'],
    ['pipe', 'is no regular file'],
  ])('%j', async (name, expected) => {
    const path = workspace.path('etc', name);
    await expect(readWebhooksFile(path, {})).rejects.toThrow(`WEBHOOKS_FILE ${path}: ${expected}`);
  });

  test('too large', async () => {
    const content = JSON.stringify({ webhooks: [] }).padEnd(1024 * 1024 + 1);
    expect(await problemsOf(content)).toBe('has more than 1048576 bytes');
  });
});

describe('what is refused, and why', () => {
  const TEXT = 'must be a text, or an object with file, or with variable';
  test.each<[place: string, webhook: object, problem: string]>([
    ['name', { name: undefined }, 'must be a name of lower-case letters'],
    ['name', { name: 'Deploy' }, 'must be a name of lower-case letters'],
    ['name', { name: 'a'.repeat(64) }, 'must be a name of lower-case letters'],
    ['url', { url: undefined }, 'must be a URL'],
    ['url', { url: 'deploy.example.org' }, 'must be a URL'],
    ['url', { url: 'ftp://deploy.example.org' }, 'must be a URL'],
    ['url', { url: 'https://me:hunter2@example.org' }, 'must be a URL without user, password'],
    ['secrets', { secrets: undefined }, 'must be a list of one or two secrets, since'],
    ['secrets', { secrets: SECRET }, 'must be a list of one or two secrets'],
    ['secrets', { secrets: [SECRET, SECRET, SECRET] }, 'must be a list of one or two secrets'],
    ['secrets[0]', { secrets: ['hunter2'] }, 'must be whsec_ and the base64 of 24 to 64 bytes'],
    ['secrets[0]', { secrets: [7] }, TEXT],
    ['secrets[0]', { secrets: [{ file: 'secret', variable: 'WEBHOOK_A' }] }, TEXT],
    ['secrets[0].variable', { secrets: [{ variable: 'DB_PASSWORD' }] }, 'must be the name of a'],
    ['secrets[0].file', { secrets: [{ file: '' }] }, 'must be the path of a file'],
    ['secrets[0]', { secrets: [''] }, 'must be a text that is not empty'],
    ['secrets[0]', { secrets: [{ variable: 'WEBHOOK_NO' }] }, 'names a variable that is not set'],
    ['secrets[0]', { secrets: [{ variable: 'WEBHOOK_EMPTY' }] }, 'is empty'],
    ['secrets[0]', { secrets: [{ file: 'missing' }] }, "can't be read (ENOENT)"],
    ['secrets[0]', { secrets: [{ file: 'pipe' }] }, 'is no regular file'],
    ['secrets[0]', { secrets: [{ file: 'empty' }] }, 'is empty'],
    ['secrets[0]', { secrets: [{ file: 'key.pem' }] }, 'must be whsec_'],
    ['format', { format: 'slack' }, 'must be cloudevents or distribution'],
    ['teams', { teams: [] }, 'must be a list of teams'],
    ['teams', { teams: 'acme' }, 'must be a list of teams'],
    ['teams[1]', { teams: ['acme', 'a/b'] }, 'must be the name of a team'],
    ['kinds', { kinds: [] }, 'must be a list of kinds'],
    ['kinds[0]', { kinds: ['deleted'] }, 'must be one of created, replaced, refused, denied'],
    [
      'kinds',
      { kinds: ['created', 'refused'], format: 'distribution' },
      'must be a list of created and replaced with this format',
    ],
    [
      'kinds',
      { kinds: ['login-refused'], teams: ['acme'] },
      'must be a list without login-refused',
    ],
    ['timeoutSeconds', { timeoutSeconds: 0 }, 'must be a whole number from 1 to 60'],
    ['timeoutSeconds', { timeoutSeconds: 61 }, 'must be a whole number from 1 to 60'],
    ['timeoutSeconds', { timeoutSeconds: '5' }, 'must be a whole number from 1 to 60'],
    ['headers', { headers: [] }, 'must be an object of headers by their names'],
    ['headers.Host', { headers: { Host: 'a' } }, 'is no header that may be set'],
    ['headers["Webhook-Id"]', { headers: { 'Webhook-Id': 'a' } }, 'is no header that may be set'],
    ['headers["a b"]', { headers: { 'a b': 'a' } }, 'is no header that may be set'],
    ['headers', { headers: { a: 'b', A: 'c' } }, 'must be an object that names each header once'],
    ['headers.a', { headers: { a: 1 } }, TEXT],
    ['headers.a', { headers: { a: 'hunter2\nb: c' } }, 'must be a text of one line'],
    ['headers.a', { headers: { a: { file: 'key.pem' } } }, 'must be a text of one line'],
    ['caFile', { caFile: 'missing' }, "can't be read (ENOENT)"],
    ['caFile', { caFile: 'key.pem' }, 'must be a PEM file of certificates'],
    ['caFile', { caFile: 'ca.pem', url: 'http://a.example.org' }, 'must be unset with a URL'],
  ])('%s of %j', async (place, webhook, problem) => {
    const problems = await problemsOf(
      { webhooks: [{ ...MINIMAL, ...webhook }] },
      { WEBHOOK_EMPTY: '', DB_PASSWORD: 'hunter2' },
    );
    expect(problems).toMatch(`webhooks[0].${place} ${problem}`);
    expect(problems.split('; webhooks')).toHaveLength(1);
  });

  test('a webhook that is none, and what nobody knows', async () => {
    const content = { webhooks: [7, { ...MINIMAL, secret: 'hunter2' }] };
    expect(await problemsOf(content)).toBe(
      'webhooks[0] must be an object that describes one; webhooks[1] has "secret", which isn\'t known',
    );
  });

  test('everything at once', async () => {
    const webhooks = [
      { ...MINIMAL, url: 'x', format: 'slack' },
      { ...MINIMAL, secrets: ['hunter2'], caFile: 'missing' },
      MINIMAL,
    ];
    const problems = (await problemsOf({ webhooks })).split('; ');
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'webhooks[0].url',
      'webhooks[0].format',
      'webhooks[2].name',
      'webhooks[1].secrets[0]',
      'webhooks[1].caFile',
    ]);
  });

  test('many, of which the first are shown', async () => {
    const problems = await problemsOf({ webhooks: Array.from({ length: 100 }, () => 7) });
    expect(problems).toMatch(/; and 50 more$/);
  });
});
