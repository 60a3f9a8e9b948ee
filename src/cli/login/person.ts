import { spawn } from 'node:child_process';
import type { CommandContext } from '../context.ts';
import type { Environment } from '../environment.ts';
import { UsageError } from '../errors.ts';
import { logInByBrowser } from '../oauth/browser-flow.ts';
import { logInByDevice } from '../oauth/device-flow.ts';
import { discover, type Issuer } from '../oauth/issuer.ts';
import { type IssuerSettings, issuerKey } from '../oauth/issuer-token.ts';
import type { StoredToken } from '../oauth/token-store.ts';
import { openTokenStore } from '../token-sources.ts';

type Way = 'browser' | 'device';

/** Lets the person at the terminal log in at the identity provider, and keeps what that gives. @throws CliError */
export async function logInAsPerson(
  context: CommandContext,
  settings: IssuerSettings,
): Promise<string> {
  const { environment, input } = context;
  const issuer = await discover(await context.http(), settings.issuer);
  const way = chooseWay(issuer, environment, {
    device: input.flag('device'),
    browser: input.flag('browser'),
  });
  const token = await logInBy(way, context, issuer, settings);
  const store = await openTokenStore(environment);
  await store.change(issuerKey(settings), async () => token);
  return token.accessToken;
}

async function logInBy(
  way: Way,
  { environment, note, http }: CommandContext,
  issuer: Issuer,
  { client, scope = usualScope(issuer) }: IssuerSettings,
): Promise<StoredToken> {
  const parts = { http: await http(), issuer, client, scope };
  if (way === 'device') {
    return logInByDevice({
      ...parts,
      show(place, code) {
        note(`Open ${place} in a browser, on any device, and enter the code ${code}`);
        note('Waiting for you to log in there …');
      },
    });
  }
  return logInByBrowser({
    ...parts,
    async open(url) {
      note(`Log in in the browser. If none opens, go there on this machine:\n\n  ${url.href}\n`);
      await openBrowser(url, environment);
    },
  });
}

function chooseWay(
  issuer: Issuer,
  environment: Environment,
  wanted: Readonly<Record<Way, boolean>>,
): Way {
  if (wanted.device && wanted.browser) {
    throw new UsageError('Give --device or --browser, not both.');
  }
  if (wanted.device) return 'device';
  if (wanted.browser || !issuer.deviceEndpoint) return 'browser';
  return issuer.authorizationEndpoint && hasBrowser(environment) ? 'browser' : 'device';
}

/** A redirect to 127.0.0.1 doesn't come back from the machine that somebody has come from by SSH. */
function hasBrowser(environment: Environment): boolean {
  if (environment['BROWSER']) return true;
  if (environment['SSH_CONNECTION']) return false;
  const hasScreen = Boolean(environment['DISPLAY'] || environment['WAYLAND_DISPLAY']);
  return hasScreen || process.platform === 'darwin' || process.platform === 'win32';
}

/** The URL is on the screen: it is no error when nothing opens. */
async function openBrowser(url: URL, environment: Environment): Promise<void> {
  const program = environment['BROWSER'];
  if (program) {
    const child = spawn(program, [url.href], { detached: true, stdio: 'ignore' });
    child.on('error', () => undefined).unref();
    return;
  }
  const { default: open } = await import('open');
  const child = await open(url.href).catch(() => undefined);
  child?.on('error', () => undefined);
}

/** One that makes refresh tokens, where there is such. */
function usualScope({ scopes }: Issuer): string {
  return scopes.includes('offline_access') ? 'openid offline_access' : 'openid';
}
