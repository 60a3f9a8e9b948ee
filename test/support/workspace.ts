import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountPointsBelow } from './mounts.ts';
import { run } from './process-runner.ts';
import { endProcess, processesBelow } from './process-table.ts';

type Undo = () => Promise<unknown>;

/** A temporary directory together with all that was started in it; one `dispose` in a hook undoes everything. */
export interface Workspace {
  readonly directory: string;
  /** A path below the directory. */
  path(...names: readonly string[]): string;
  /** Registers what undoes something; the newest is undone first. */
  defer(undo: Undo): void;
  /** Undoes everything, also when parts of that fail. @throws AggregateError of the failures. */
  dispose(): Promise<void>;
}

export async function createWorkspace(): Promise<Workspace> {
  const directory = await mkdtemp(join(tmpdir(), 'pierone-e2e-'));
  // The embedded PostgreSQL runs as a user of its own when the tests run as root, and has to get through.
  await chmod(directory, 0o755);
  const undos: Undo[] = [
    () => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }),
    () => unmountAll(directory),
    () => endStragglers(directory),
  ];
  return {
    directory,
    path: (...names) => join(directory, ...names),
    defer: (undo) => void undos.push(undo),
    dispose: () => undoAll(undos.splice(0).toReversed()),
  };
}

async function undoAll(undos: readonly Undo[]): Promise<void> {
  const failures: unknown[] = [];
  for (const undo of undos) {
    await undo().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) {
    throw new AggregateError(failures, `clean-up failed: ${failures.map(String).join('; ')}`);
  }
}

/** A killed server leaves its embedded PostgreSQL behind; a failed test may leave more. */
async function endStragglers(directory: string): Promise<void> {
  for (const { pid } of await processesBelow(directory)) await endProcess(pid);
}

/** dockerd binds its data directory onto itself, and podman does the same with its store. */
async function unmountAll(directory: string): Promise<void> {
  for (const mountPoint of await mountPointsBelow(directory)) await run('umount', [mountPoint]);
}
