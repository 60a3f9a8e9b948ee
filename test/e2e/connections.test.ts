import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request as openRequest } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../support/oci-layout.ts';
import { Upload } from '../support/registry-api.ts';
import type { ServerProcess } from '../support/server.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/** More than an upload may have under way: the server has to hold its client back, and to let it go on again. */
const UPLOAD_BYTES = 20 * 1024 * 1024;

let workspace: Workspace;
let server: ServerProcess;

beforeEach(async () => {
  workspace = await createWorkspace();
  server = await startServerIn(workspace);
});
afterEach(() => workspace.dispose());

test.each(['PUT', 'PATCH'])('one connection carries one %s after another', async (method) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  workspace.defer(async () => agent.destroy());
  const bytes = randomBytes(UPLOAD_BYTES);
  const ports = new Set<number | undefined>();
  for (let round = 1; round <= 5; round++) {
    const { location } = await Upload.start(server.url, 'acme/app');
    if (method === 'PUT') location.searchParams.set('digest', sha256(bytes));

    const answer = await send(method, location, bytes, agent);

    expect(answer.statusCode, `round ${round}`).toBe(method === 'PUT' ? 201 : 202);
    ports.add(answer.socket.localPort);
    answer.resume();
  }
  expect(ports.size).toBe(1);
});

function send(method: string, address: URL, bytes: Buffer, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Length': bytes.length,
      // A chunk: the slower way to digest, so that the client is ahead of the server.
      ...(method === 'PATCH' ? { 'Content-Range': `0-${bytes.length - 1}` } : {}),
    };
    const request = openRequest(address, { method, agent, headers });
    request.on('response', resolve).on('error', reject);
    request.end(bytes);
  });
}
