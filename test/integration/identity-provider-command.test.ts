import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findFreePorts } from '../support/free-ports.ts';
import { HttpClient } from '../support/http-client.ts';
import { JsonValue } from '../support/json.ts';
import { execute, startInBackground } from '../support/process-runner.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ARGUMENTS = ['--import', 'tsx', join(ROOT, 'scripts/identity-provider.ts')];

test('npm run identity-provider prints valid tokens, and SIGTERM leaves nothing behind', async () => {
  const [port = 0] = await findFreePorts(1);
  const script = ['run', 'identity-provider', '--', '--port', String(port)];
  const command = startInBackground('npm', script, { cwd: ROOT });
  const client = new HttpClient(`http://127.0.0.1:${port}`);
  try {
    await waitUntil('the tokens', () => command.screen().includes('Ctrl-C ends'));
    const settings = new Map(
      [...command.screen().matchAll(/^ {2}(HTTP_\w+)=(\S+)/gm)].map(([, name, url]) => [name, url]),
    );
    expect([...settings.keys()]).toEqual([
      'HTTP_TOKENINFO_URL',
      'HTTP_TEAM_SERVICE_URL',
      'HTTP_KIO_URL',
      'HTTP_IIDINFO_URL',
    ]);
    const tokens = [...command.screen().matchAll(/^ {2}(\w+) +([0-9a-f]{32}) {2}/gm)];
    expect(tokens.length).toBeGreaterThan(4);
    const { pathname } = new URL(settings.get('HTTP_TOKENINFO_URL') ?? '');
    for (const [, uid, token] of tokens) {
      const { body } = await client.send('GET', `${pathname}?access_token=${token}`);
      expect(JsonValue.parse(body.toString()).at('uid').text).toBe(uid);
    }
  } finally {
    await command.end();
  }
  await expect(client.send('GET', '/')).rejects.toThrow('ECONNREFUSED');
});

test.each([
  ['--help', 0, /^usage: npm run identity-provider/],
  ['--port=none', 1, /^--port wants a number from 1 to 65535, not none\n$/],
  ['--prot=1', 1, /^Unknown option '--prot'/],
])('%s ends with code %i and a sentence', async (argument, exitCode, screen) => {
  const result = await execute(process.execPath, [...ARGUMENTS, argument]);
  expect(result).toMatchObject({ exitCode, screen: expect.stringMatching(screen) });
});
