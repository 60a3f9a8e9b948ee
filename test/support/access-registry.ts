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

export type Uid = (typeof EMPLOYEES)[number]['uid'] | (typeof SERVICES)[number]['uid'];

/** A registry whose access control asks an identity provider of its own. */
export interface AccessRegistry {
  readonly server: ServerProcess;
  readonly provider: IdentityProvider;
  /** By a token of an employee or a service, or by the document of a machine. */
  loginOf(who: Uid | 'machine'): Login;
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
  return {
    server,
    provider,
    loginOf: (who) =>
      who === 'machine'
        ? { user: 'instance-identity-document', password: provider.addInstance() }
        : { user: 'oauth2', password: provider.issueToken(who) },
  };
}
