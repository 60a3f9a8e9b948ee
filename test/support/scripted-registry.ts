import { once } from 'node:events';
import { createServer } from 'node:http';
import { findFreePorts } from './free-ports.ts';

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is neither text nor bytes is sent as JSON. */
  readonly body?: unknown;
}

/** Answers as it is told, by path: what another server than ours would say. Else 404 with an empty body. */
export interface ScriptedRegistry {
  readonly url: string;
  /** `GET /path?query`, in the order of arrival. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export async function startScriptedRegistry(
  answers: Readonly<Record<string, ScriptedAnswer>>,
): Promise<ScriptedRegistry> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    requests.push(`${method} ${url}`);
    const [path = ''] = url.split('?');
    const { status = 200, headers = {}, body = '' } = answers[path] ?? { status: 404 };
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    response.writeHead(status, headers).end(isRaw ? body : JSON.stringify(body));
  });
  const [port = 0] = await findFreePorts(1);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
