import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findFreePorts } from '../support/free-ports.ts';
import { HttpClient } from '../support/http-client.ts';
import { startComposeNginx } from '../support/nginx.ts';
import { startPostgres } from '../support/postgres.ts';
import { type ServerProcess, startServer } from '../support/server.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

const CLIENTS = 8;
const RESTARTS = 8;
const BETWEEN_MS = 300;

let workspace: Workspace;

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(() => workspace.dispose());

/** Two instances on ports that stay theirs; `restart` ends one and starts it again. */
async function startInstances(transport: string) {
  const postgres = await startPostgres();
  workspace.defer(() => postgres.stop());
  const ports = await findFreePorts(2);
  const start = (port: number | undefined) =>
    startServer({
      HTTP_PORT: String(port),
      HTTP_TRANSPORT: transport,
      DATABASE_URL: postgres.url,
      STORAGE_DIRECTORY: workspace.path('storage'),
    });
  const servers: ServerProcess[] = await Promise.all(ports.map(start));
  workspace.defer(() => Promise.all(servers.map((server) => server.stop())));
  const restart = async (n: number) => {
    expect(await servers[n]?.stop()).toBe(0);
    servers[n] = await start(ports[n]);
  };
  return { hosts: servers.map(({ host }) => host), restart };
}

/** nginx repeats no POST: of one that was lost it says 502. */
async function post(url: string, answers: Map<number, number>, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const client = new HttpClient(url, agent);
  while (!signal.aborted) {
    const { status } = await client.send('POST', '/v2/acme/app/blobs/uploads/');
    answers.set(status, (answers.get(status) ?? 0) + 1);
  }
  agent.destroy();
}

test.each(['uws', 'node'])(
  'instances behind nginx that end in turn lose no request of a busy balancer (%s)',
  async (transport) => {
    const { hosts, restart } = await startInstances(transport);
    const url = await startComposeNginx(workspace, [hosts[0] ?? '', hosts[1] ?? '']);
    const answers = new Map<number, number>();
    const over = new AbortController();
    const clients = Array.from({ length: CLIENTS }, () => post(url, answers, over.signal));

    for (let n = 0; n < RESTARTS; n += 1) {
      await delay(BETWEEN_MS);
      await restart(n % 2);
    }
    over.abort();
    await Promise.all(clients);

    console.log(`${answers.get(202)} requests went through ${RESTARTS} restarts`);
    expect([...answers.keys()]).toEqual([202]);
  },
);
