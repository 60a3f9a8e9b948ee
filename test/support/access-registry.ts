import { randomBytes } from 'node:crypto';
import type { Login } from './clients/image-client.ts';
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
import type { ServerProcess } from './server.ts';
import { startServerIn } from './server-in-workspace.ts';
import type { Workspace } from './workspace.ts';

/** Whose tokens there are. Applications are named by what their uid has after the last `_`. */
const EMPLOYEES = [
  { uid: 'jdoe', teams: ['acme'] },
  { uid: 'mallory', teams: ['other'] },
] as const;

const SERVICES = [
  { uid: 'stups_robot', team: 'acme', scopes: ['uid', 'application.write'] },
  { uid: 'stups_foreign', team: 'other', scopes: ['uid', 'application.write'] },
  { uid: 'stups_builder', team: 'tools', scopes: ['uid', 'application.write_all'] },
  { uid: 'stups_reader', team: 'acme', scopes: ['uid'] },
] as const;

const MACHINE = 'instance-identity-document';

type Uid = (typeof EMPLOYEES)[number]['uid'] | (typeof SERVICES)[number]['uid'];
type Asker = Uid | 'machine' | 'nobody' | 'forged machine';

/** A registry whose access control asks an identity provider of its own. */
export interface AccessRegistry {
  readonly server: ServerProcess;
  readonly provider: IdentityProvider;
  /** A new one: a token of an employee or a service, the document of a machine, or what nobody has given out. */
  loginOf(who: Asker): Login;
  /** Every token and document of `loginOf`. */
  readonly secrets: readonly string[];
}

export async function startAccessRegistry(
  workspace: Workspace,
  settings: Readonly<Record<string, string>> = {},
): Promise<AccessRegistry> {
  const provider = await startIdentityProvider();
  workspace.defer(() => provider.close());
  for (const employee of EMPLOYEES) provider.addEmployee(employee);
  for (const service of SERVICES) provider.addService(service);
  const server = await startServerIn(workspace, { ...provider.environment, ...settings });
  const secrets: string[] = [];
  return {
    server,
    provider,
    secrets,
    loginOf(who) {
      const login = makeLogin(provider, who);
      secrets.push(login.password);
      return login;
    },
  };
}

function makeLogin(provider: IdentityProvider, who: Asker): Login {
  if (who === 'nobody') return { user: 'oauth2', password: randomBytes(24).toString('base64url') };
  if (who === 'machine') return { user: MACHINE, password: provider.addInstance() };
  if (who === 'forged machine') return { user: MACHINE, password: provider.forgeInstance() };
  return { user: 'oauth2', password: provider.issueToken(who) };
}
