import type { CommandContext } from '../context.ts';
import { credentialFiles, removeLogin } from '../login/credential-files.ts';
import { registryHost } from '../login/registry-host.ts';
import { openLogins, openTokenStore } from '../token-sources.ts';

export async function run({ environment, input, output, url }: CommandContext): Promise<void> {
  const host = registryHost(new URL(await url()));
  const authFile = input.text('authFile');
  const files = credentialFiles(environment, { podman: true, authFile });
  const changed = await removeLogin(files, host);
  const logins = openLogins(environment);
  const wasKnown = (await logins.find(host)) !== undefined;
  await logins.remove(host);
  // Tokens are an identity provider's, for all of its registries.
  if ((await logins.all()).length === 0) await (await openTokenStore(environment)).clear();
  const isLoggedOut = wasKnown || changed.length > 0;
  await output.line(isLoggedOut ? `Logged out of ${host}.` : `You were not logged in to ${host}.`);
}
