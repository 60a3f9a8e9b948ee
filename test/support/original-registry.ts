import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { listenInWorkspace } from './forwarding.ts';
import type { Workspace } from './workspace.ts';

/** A small server whose answers have the shapes of the original Pier One: no pages, no order, fields missing. */
export interface OriginalRegistry {
  readonly url: string;
  /** host:port */
  readonly host: string;
  /** `GET /path` of each request so far, with its query and, behind it, the Authorization header. */
  readonly requests: readonly string[];
}

const SHOP = '/teams/acme/artifacts/shop';

/** Sorted by time, as the original's are; the second has what its last versions added. */
const TAGS = [
  { name: '1.0', created: '2015-04-14T19:09:01.065Z', created_by: 'jdoe' },
  {
    name: '1.1',
    created: '2016-05-19T15:23:41.000Z',
    created_by: 'stups_robot',
    status: 'production_ready',
    status_reason: null,
  },
  { name: '0.9-SNAPSHOT', created: '2016-05-20T15:23:41.500Z', created_by: 'jdoe' },
];

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/teams': ['tools', 'acme'],
  '/teams/acme/artifacts': ['shop', 'bare'],
  '/teams/nobody/artifacts': [],
  [`${SHOP}/tags`]: TAGS,
  '/teams/acme/artifacts/bare/tags': [{ name: '1' }],
  [`${SHOP}/tags/1.0/scm-source`]: {
    url: 'git@git.example.org:acme/shop.git',
    revision: '0123456789abcdef',
    author: 'J. Döe',
    status: '',
  },
  '/tags/abc1': [{ team: 'acme', artifact: 'shop', name: '1.0' }],
  // Of the servers that came after it.
  [`${SHOP}/tags/1.0/production-ready`]: {},
  '/v1/search': { results: [{ name: 'acme/shop' }] },
};

/** Started with a certificate it speaks TLS. */
export async function startOriginalRegistry(
  workspace: Workspace,
  tls?: ServerOptions,
): Promise<OriginalRegistry> {
  const requests: string[] = [];
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const { method, url = '', headers } = request;
    requests.push(`${method} ${url} ${headers.authorization ?? ''}`.trimEnd());
    answer(url, response);
  };
  const server = tls ? createTlsServer(tls, serve) : createServer(serve);
  const host = await listenInWorkspace(workspace, server);
  return { url: `http${tls ? 's' : ''}://${host}`, host, requests };
}

function answer(url: string, response: ServerResponse): void {
  const path = url.split('?', 1).join('');
  const send = (status: number, body: unknown, headers: Record<string, string> = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
  const moved = /^\/moved-to-(\d+)(\/.*)/.exec(url);
  const [, port, target] = moved ?? [];
  if (path === '/paged/teams') send(200, ...pageOf(url));
  else if (path in ANSWERS) send(200, ANSWERS[path]);
  else if (path === '/tags/abc') send(412, { message: 'several', details: null });
  else if (path.startsWith('/teams/secret/')) send(403, { detail: 'not yours' });
  else if (path.startsWith('/teams/broken/')) response.end('<html>not JSON');
  else if (path.startsWith('/teams/cut/')) response.destroy();
  else if (path.endsWith('/scm-source')) send(404, null);
  else if (port) send(302, {}, { location: `http://localhost:${port}${target}` });
  else send(404, { message: `GET ${path} not found.`, details: null });
}

/** As a registry with pages behind a proxy that takes /paged away: two of them. */
function pageOf(url: string): [names: string[], headers: Record<string, string>] {
  if (url.includes('after=')) return [['c'], {}];
  return [['a', 'b'], { link: '</teams?limit=2&after=ImIi>; rel="next"' }];
}
