import { chmod, stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AccessScene, openAccessScene } from '../support/access-scene.ts';
import { type CliHome, makeHome } from '../support/pierone-command.ts';
import type { RunResult } from '../support/process-runner.ts';
import type { TestRegistry } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/* How people log in at a terminal: in a browser here, or with a code elsewhere. */

const TOKENS = '.local/state/pierone/tokens.json';

let scene: AccessScene;
let registry: TestRegistry;
let host: string;
let home: CliHome;

beforeAll(async () => {
  scene = await openAccessScene();
  registry = await scene.start();
  ({ host } = new URL(registry.url));
});
afterAll(() => scene.close());
beforeEach(async () => {
  const { provider } = scene;
  home = await makeHome({ PIERONE_URL: registry.url, PIERONE_OIDC_ISSUER: provider.issuer });
  provider.logins.sitDown(provider.principal('alice'));
  provider.clear();
});
afterEach(() => home.remove());

/** A browser that does nothing but follow where it is sent. @returns the environment that names it */
async function installBrowser(script = 'await fetch(process.argv[2]);') {
  await home.write('browser.mjs', `#!/usr/bin/env node\n${script}\n`);
  await chmod(home.path('browser.mjs'), 0o755);
  return { BROWSER: home.path('browser.mjs') };
}

async function secret(): Promise<string> {
  const { exitCode, stdout } = await home.helper('get', host);
  if (exitCode !== 0) return stdout;
  const answer: unknown = JSON.parse(stdout);
  return String(new Map(Object.entries(Object(answer))).get('Secret'));
}

function tokenRequests(): URLSearchParams[] {
  return scene.provider.requests('token').map(({ body }) => new URLSearchParams(body));
}

describe('in a browser', () => {
  test('with PKCE and a redirect to this machine; the token goes to docker', async () => {
    const { exitCode, screen } = await home.atTerminal(['login'], await installBrowser());

    expect({ exitCode, screen }).toEqual({ exitCode: 0, screen: expect.stringContaining('alice') });
    const [page] = scene.provider.requests('authorize');
    const asked = new URL(page?.target ?? '', scene.provider.issuer).searchParams;
    expect(asked.get('code_challenge_method')).toBe('S256');
    expect(asked.get('state')).toMatch(/^[\w-]{43}$/);
    expect(asked.get('redirect_uri')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\//);
    expect(tokenRequests().map((form) => form.get('grant_type'))).toEqual(['authorization_code']);
    expect((await stat(home.path(TOKENS))).mode & 0o777).toBe(0o600);
    expect(await home.read(TOKENS)).toContain(await secret());
    expect(screen).not.toContain(await secret());
  });

  test('an answer with another state, or of another issuer, is none', async () => {
    const browser = await installBrowser(`
      const page = await fetch(process.argv[2], { redirect: 'manual' });
      const back = new URL(page.headers.get('location'));
      for (const [name, value] of [['state', 'guessed'], ['iss', 'https://evil.example']]) {
        const forged = new URL(back);
        forged.searchParams.set(name, value);
        forged.searchParams.set('code', 'forged');
        const { status } = await fetch(forged);
        if (status !== 400) process.exit(1);
      }
      await fetch(back);`);

    const { exitCode, screen } = await home.atTerminal(['login'], browser);

    expect({ exitCode, screen }).toMatchObject({ exitCode: 0 });
    expect(tokenRequests().map((form) => form.get('code'))).not.toContain('forged');
  });

  test('who presses Cancel is not logged in', async () => {
    scene.provider.logins.sitDown(undefined);

    const { exitCode, screen } = await home.atTerminal(['login'], await installBrowser());

    expect(exitCode).toBe(3);
    expect(screen).toContain('access_denied: the user pressed Cancel');
    expect(await secret()).toContain('credentials not found');
  });
});

describe('with a code', () => {
  /** Enters what is on the screen. */
  async function logInAndEnter(
    outcome: 'denied' | 'expired' | 'alice',
    args: readonly string[] = ['login', '--device'],
  ): Promise<RunResult> {
    const { provider } = scene;
    const running = home.atTerminal(args);
    await waitUntil('a code', async () => provider.count('token') > 1);
    const code = provider.logins.waiting.at(-1) ?? '';
    provider.logins.enter(code, outcome === 'alice' ? provider.principal('alice') : outcome);
    const result = await running;
    expect(result.screen).toContain(`${provider.issuer}/device in a browser`);
    expect(result.screen).toContain(code);
    return result;
  }

  test('that is entered elsewhere', async () => {
    const { exitCode, screen } = await logInAndEnter('alice', ['login']);

    expect({ exitCode, screen }).toEqual({ exitCode: 0, screen: expect.stringContaining('alice') });
    expect(await home.read(TOKENS)).toContain(await secret());
  });

  test.each([
    { outcome: 'denied', says: 'access_denied' },
    { outcome: 'expired', says: 'expired_token' },
  ] as const)('that is $outcome logs nobody in', async ({ outcome, says }) => {
    const { exitCode, screen } = await logInAndEnter(outcome);

    expect({ exitCode, screen }).toEqual({ exitCode: 3, screen: expect.stringContaining(says) });
  });

  test('is waited for through an outage of the identity provider', async () => {
    const outage = scene.provider.plan('token', { kind: 'reset' }, 1);

    const { exitCode } = await logInAndEnter('alice');

    expect({ exitCode, outages: outage.count() }).toEqual({ exitCode: 0, outages: 1 });
  });

  test('needs a terminal', async () => {
    const { exitCode, stderr } = await home.pierone(['login', '--device']);

    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2 });
    expect(stderr).toContain('need a terminal');
    expect(scene.provider.count()).toBe(0);
  });
});

describe('later', () => {
  /** As if the login had been so long ago; its tokens last an hour. */
  async function passMinutes(minutes: number): Promise<void> {
    const earlier = (time: string) => String(Number(time) - minutes * 60_000);
    await home.write(TOKENS, (await home.read(TOKENS)).replaceAll(/\d{13}/g, earlier));
  }

  test('the token is renewed without anybody, once for all who ask', async () => {
    await home.atTerminal(['login'], await installBrowser());
    const first = await secret();
    await passMinutes(56);

    const secrets = await Promise.all([secret(), secret(), secret()]);

    expect(new Set(secrets).size).toBe(1);
    expect(secrets[0]).not.toBe(first);
    expect(tokenRequests().map((form) => form.get('grant_type'))).toEqual([
      'authorization_code',
      'refresh_token',
    ]);
    expect(await home.pierone(['whoami'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('alice'),
    });
    await passMinutes(56);
    expect(await secret(), 'by the next refresh token').not.toBe(secrets[0]);
  });

  test('a token is used to its end where it can no longer be renewed', async () => {
    await home.atTerminal(['login'], await installBrowser());
    const first = await secret();
    await passMinutes(56);
    scene.provider.logins.endSessions();

    expect(await secret()).toBe(first);
    await passMinutes(4);
    expect(await secret()).toContain('credentials not found');
  });

  test('when the session is over, login begins anew', async () => {
    const browser = await installBrowser();
    await home.atTerminal(['login'], browser);
    const first = await secret();
    scene.provider.logins.endSessions();
    await passMinutes(60);

    const { exitCode } = await home.atTerminal(['login'], browser);

    expect(exitCode).toBe(0);
    expect([first, 'credentials not found in native keychain\n']).not.toContain(await secret());
  });

  test('after logout nothing is left to renew a token with', async () => {
    await home.atTerminal(['login'], await installBrowser());

    await home.pierone(['logout']);

    expect(await home.read(TOKENS)).toBe('{"tokens": {}}\n');
    expect(await secret()).toContain('credentials not found');
  });
});

describe('an identity provider', () => {
  const other = () =>
    JSON.stringify({
      issuer: 'https://evil.example',
      token_endpoint: scene.provider.urlOf('token'),
    });
  const plain = () =>
    JSON.stringify({ issuer: scene.provider.issuer, token_endpoint: 'http://evil.example/token' });

  test.each([
    { what: 'by http elsewhere', issuer: 'http://id.invalid', says: 'must be https://' },
    { what: 'that is none', issuer: 'nonsense', says: 'nonsense is no URL' },
    { what: 'that says it is another', body: other, says: 'is of another issuer than' },
    { what: 'that sends secrets off in the clear', body: plain, says: 'must be https://' },
    { what: 'that answers in HTML', body: () => '<title>Sign in</title>', says: 'and no JSON' },
  ])('$what is not asked for a token', async ({ issuer, body, says }) => {
    const { provider } = scene;
    const fault = { kind: 'answer', status: 200, body: body?.() ?? '' } as const;
    const planned = body && provider.plan('discovery', fault);
    const environment = { PIERONE_OIDC_ISSUER: issuer ?? provider.issuer };

    const { exitCode, screen } = await home.atTerminal(['login', '--device'], environment);
    planned?.end();

    expect({ exitCode, screen }).toEqual({ exitCode: 5, screen: expect.stringContaining(says) });
    expect(provider.count('device') + provider.count('token')).toBe(0);
  });
});

test('the URL is asked for at a terminal, and known from then on', async () => {
  const environment = { PIERONE_URL: '', ...(await installBrowser()) };

  const { exitCode, screen } = await home.atTerminal(['login'], environment, `${registry.url}\n`);

  expect({ exitCode, screen }).toEqual({
    exitCode: 0,
    screen: expect.stringContaining('URL of the registry: '),
  });
  expect(await home.read('.config/pierone/pierone.yaml')).toBe(`url: ${registry.url}\n`);
  expect(await home.pierone(['teams'], { PIERONE_URL: '' })).toMatchObject({ exitCode: 0 });
});
