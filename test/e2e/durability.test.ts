import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../support/oci-layout.ts';
import { Upload } from '../support/registry-api.ts';
import type { ServerProcess } from '../support/server.ts';
import { startServerIn, storageDirectory } from '../support/server-in-workspace.ts';
import { attachStrace, type SystemCall } from '../support/strace.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const MIB = 1024 * 1024;
const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2']);

let workspace: Workspace;
let server: ServerProcess;

beforeEach(async () => {
  workspace = await createWorkspace();
  server = await startServerIn(workspace);
});
afterEach(() => workspace.dispose());

/** The system calls of the server while something is asked of it. */
async function trace(ask: () => Promise<void>): Promise<SystemCall[]> {
  const strace = await attachStrace(workspace, server.pid);
  await ask();
  return strace.stop();
}

/** Where the answer with this status is sent: the only one of its kind in the trace. */
function answerOf(calls: readonly SystemCall[], status: number): SystemCall {
  const sent = calls.filter(({ args }) => args.includes(`"HTTP/1.1 ${status} `));
  expect(sent.map(({ args }) => args)).toHaveLength(1);
  const [answer] = sent;
  if (!answer) throw new Error(`no answer ${status}`);
  return answer;
}

/** The files below segments/ that are written, with their bytes in all. */
function segmentsOf(calls: readonly SystemCall[]): Map<string, number> {
  const segments = new Map<string, number>();
  const directory = `${storageDirectory(workspace)}/segments/`;
  for (const { name, path, args } of calls) {
    if (!WRITES.has(name) || !path.startsWith(directory)) continue;
    const written = Number(/ = (\d+)$/.exec(args)?.[1]);
    segments.set(path, (segments.get(path) ?? 0) + written);
  }
  return segments;
}

/** The file is synced between its last write and the answer; its name between its making and the answer. */
function expectDurableBefore(answer: SystemCall, path: string, calls: readonly SystemCall[]): void {
  const written = calls.filter((call) => call.path === path && WRITES.has(call.name));
  const lastWriteEnd = Math.max(...written.map(({ end }) => end));
  const syncs = (what: string, after: number) =>
    calls.filter(
      ({ name, path: synced, begin, end }) =>
        /^f(data)?sync$/.test(name) && synced === what && begin > after && end < answer.begin,
    );
  expect(lastWriteEnd).toBeLessThan(answer.begin);
  expect(syncs(path, lastWriteEnd), `syncs of ${path}`).not.toEqual([]);
  const made = calls.find((call) => call.path === path && /O_CREAT/.test(call.args));
  if (!made) throw new Error(`nothing makes ${path}`);
  expect(syncs(dirname(path), made.end), `syncs of its directory`).not.toEqual([]);
}

function expectAllDurableBefore(answer: SystemCall, bytes: number, calls: SystemCall[]): void {
  const segments = segmentsOf(calls);
  const sum = [...segments.values()].reduce((total, size) => total + size, 0);
  expect(sum).toBe(bytes);
  for (const path of segments.keys()) expectDurableBefore(answer, path, calls);
}

test('the 202 of a PATCH is sent after its bytes are on the disk', async () => {
  const bytes = randomBytes(20 * MIB);
  const upload = await Upload.start(server.url, 'acme/app');

  const calls = await trace(async () => {
    expect(await upload.patchStream(bytes)).toMatchObject({ status: 202 });
  });

  expectAllDurableBefore(answerOf(calls, 202), bytes.length, calls);
  expect(await upload.finish(sha256(bytes))).toMatchObject({ status: 201 });
});

test('the 202 of a chunk is sent after its bytes are on the disk', async () => {
  const bytes = randomBytes(3 * MIB);
  const upload = await Upload.start(server.url, 'acme/app');

  const calls = await trace(async () => {
    expect(await upload.patchChunk(bytes, 0)).toMatchObject({ status: 202 });
  });

  expectAllDurableBefore(answerOf(calls, 202), bytes.length, calls);
});

test('the 201 of a PUT with the whole blob is sent after its bytes are on the disk', async () => {
  const bytes = randomBytes(20 * MIB);
  const upload = await Upload.start(server.url, 'acme/app');

  const calls = await trace(async () => {
    expect(await upload.finish(sha256(bytes), bytes)).toMatchObject({ status: 201 });
  });

  expectAllDurableBefore(answerOf(calls, 201), bytes.length, calls);
});
