import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { execute, type RunResult } from '../support/process-runner.ts';
import { isRunning, processesBelow } from '../support/process-table.ts';
import { startServerIn, storageDirectory } from '../support/server-in-workspace.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const SETTINGS = [
  'HTTP_HOST',
  'HTTP_PORT',
  'HTTP_ALLOW_UNPROTECTED',
  'HTTP_IDLE_TIMEOUT',
  'MGMT_HTTP_HOST',
  'MGMT_HTTP_PORT',
  'DATABASE_URL',
  'DB_SUBNAME',
  'DB_USER',
  'DB_PASSWORD',
  'DB_MAX_POOL',
  'STORAGE_DIRECTORY',
  'MUTABLE_TAGS',
  'MANIFEST_MAX_BYTES',
  'UPLOAD_EXPIRATION_HOURS',
  'SWEEP_GRACE_HOURS',
  'WORKER_THREADS',
  'BUFFER_MEMORY_MIB',
  'BUFFER_MEMORY_PER_UPLOAD_MIB',
  'START_TIMEOUT',
  'SHUTDOWN_TIMEOUT',
  'SYSTEM_LOG_LEVEL',
];

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(() => workspace.dispose());

function storage(): string {
  return storageDirectory(workspace);
}

/** Runs the server's command with a new directory and free ports, to its end. */
function runMain(environment: Record<string, string>, ...args: string[]): Promise<RunResult> {
  const env = { HTTP_PORT: '0', MGMT_HTTP_PORT: '0', STORAGE_DIRECTORY: storage(), ...environment };
  return execute(process.execPath, [MAIN, ...args], { env, timeoutMs: 180_000 });
}

/** A start that fails for a reason says it in a sentence, and leaves nothing behind. */
async function expectRefusal(result: RunResult, reason: RegExp): Promise<void> {
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(reason);
  expect(result.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
}

test('--help names every setting', async () => {
  const { exitCode, stdout } = await runMain({}, '--help');

  expect(exitCode).toBe(0);
  const missing = SETTINGS.filter((name) => !new RegExp(`\\b${name}\\b`).test(stdout));
  expect(missing).toEqual([]);
});

test('all mistakes of the configuration are told at once', async () => {
  const result = await runMain({
    HTTP_PORT: 'abc',
    MUTABLE_TAGS: 'a b',
    BUFFER_MEMORY_MIB: 'x',
  });

  await expectRefusal(result, /HTTP_PORT/);
  await expectRefusal(result, /MUTABLE_TAGS/);
  await expectRefusal(result, /BUFFER_MEMORY_MIB/);
  expect(await processesBelow(storage())).toEqual([]);
});

test.each(['HTTP_PORT', 'MGMT_HTTP_PORT'])('a %s that is in use is named', async (setting) => {
  const occupant = createServer().listen(0, '127.0.0.1');
  workspace.defer(async () => void occupant.close());
  await once(occupant, 'listening');
  const address = occupant.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');

  const result = await runMain({ [setting]: String(address.port) });

  await expectRefusal(
    result,
    new RegExp(`can't listen on 127\\.0\\.0\\.1 port ${address.port}\\b`),
  );
  expect(await processesBelow(storage())).toEqual([]);
});

test('a second start on the same embedded database is refused, and the first goes on', async () => {
  const first = await startServerIn(workspace);

  const second = await runMain({});

  await expectRefusal(second, /another|already|in use/i);
  expect(second.stderr).toContain(storage());
  const catalog = await fetch(`${first.url}/v2/_catalog`);
  expect(await catalog.json()).toEqual({ repositories: [] });
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('ends the server and its embedded PostgreSQL', async () => {
    const server = await startServerIn(workspace);
    // PostgreSQL; otherwise its absence below would say nothing.
    expect(await processesBelow(storage())).not.toEqual([]);

    process.kill(server.pid, signal);
    await waitUntil('the end of the server', () => !isRunning(server.pid));

    expect(await server.stop()).toBe(0);
    expect(await processesBelow(storage())).toEqual([]);
  });
});
