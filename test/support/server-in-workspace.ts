import { type ServerProcess, startServer } from './server.ts';
import type { Workspace } from './workspace.ts';

/** Where the server of a workspace keeps everything. */
export function storageDirectory(workspace: Workspace): string {
  return workspace.path('registry');
}

/**
 * Starts the server on a workspace's directory, with the embedded PostgreSQL in it; ended with the workspace.
 * A second call after the first server ended finds what that one left.
 */
export async function startServerIn(
  workspace: Workspace,
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const server = await startServer({
    STORAGE_DIRECTORY: storageDirectory(workspace),
    ...environment,
  });
  workspace.defer(() => server.stop());
  return server;
}
