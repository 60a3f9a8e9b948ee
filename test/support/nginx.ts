import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { findFreePorts } from './free-ports.ts';
import { run, startInBackground } from './process-runner.ts';
import { waitUntil } from './wait-until.ts';
import type { Workspace } from './workspace.ts';

/** What operators are pointed to. */
const CONFIGURATION = fileURLToPath(new URL('../../deploy/nginx.conf', import.meta.url));
const STREAMING = fileURLToPath(new URL('../../deploy/nginx-streaming.conf', import.meta.url));

const COMPOSE_CONFIGURATION = fileURLToPath(
  new URL('../../deploy/nginx-compose.conf', import.meta.url),
);
const INCLUDE = 'include /etc/nginx/pierone-streaming.conf; # yours';

export interface NginxWish {
  /** host:port of the registry. Several: connections go to them in turn. */
  readonly registry: string | readonly string[];
  /** Each with connections of its own to the registry; one unless said otherwise. */
  readonly sites?: number;
  /** Whether it tells the registry about its clients, as the configuration in the repository does. */
  readonly hasForwardedHeaders?: boolean;
}

/** nginx as a process of its own, on free ports of 127.0.0.1. */
export interface Nginx {
  /** https://127.0.0.1:PORT of each site. */
  readonly urls: readonly string[];
  /** The certificate that it shows. */
  readonly certificate: Buffer;
}

interface Site {
  readonly name: string;
  readonly port: number;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** Starts nginx with the configuration of the repository; ended with the workspace. */
export async function startNginx(workspace: Workspace, wish: NginxWish): Promise<Nginx> {
  const certificateFile = workspace.path('nginx-certificate.pem');
  const keyFile = workspace.path('nginx-key.pem');
  await makeCertificate(certificateFile, keyFile);
  const ports = await findFreePorts(wish.sites ?? 1);
  const [text, streaming] = await Promise.all(
    [CONFIGURATION, STREAMING].map((file) => readFile(file, 'utf8')),
  );
  const including = replaceOnce(text ?? '', [INCLUDE, streaming ?? '']);
  const sites = ports.map((port, n) =>
    adapt(including, wish, { name: `pierone-${n}`, port, certificateFile, keyFile }),
  );
  await runNginx(workspace, sites, ports[0] ?? 0);
  const urls = ports.map((port) => `https://127.0.0.1:${port}`);
  return { urls, certificate: await readFile(certificateFile) };
}

/** nginx as in compose.yaml, in front of two instances, each host:port. @returns its URL */
export async function startComposeNginx(
  workspace: Workspace,
  [first, second]: readonly [string, string],
): Promise<string> {
  const [port = 0] = await findFreePorts(1);
  const text = await readFile(COMPOSE_CONFIGURATION, 'utf8');
  const site = [
    ['server pierone-1:8080 ', `server ${first} `] as const,
    ['server pierone-2:8080 ', `server ${second} `] as const,
    ['listen 8080;', `listen 127.0.0.1:${port};`] as const,
    ['/etc/nginx/pierone-streaming.conf;', `${STREAMING};`] as const,
  ].reduce(replaceOnce, text);
  await runNginx(workspace, [site], port);
  return `http://127.0.0.1:${port}`;
}

async function runNginx(workspace: Workspace, sites: readonly string[], port: number) {
  const file = workspace.path('nginx.conf');
  await writeFile(file, wrap(workspace, sites));
  const nginx = startInBackground('nginx', ['-c', file, '-p', workspace.directory]);
  workspace.defer(() => nginx.end());
  await waitUntil('nginx', async () => {
    if (!nginx.isRunning()) throw new Error(`nginx ended:\n${nginx.screen()}`);
    return acceptsConnections(port);
  });
}

/** Puts in what is the operator's; without the forwarding headers where they aren't wished. */
function adapt(text: string, wish: NginxWish, site: Site): string {
  const { name, port, certificateFile, keyFile } = site;
  const servers = [wish.registry].flat().map((host) => `server ${host};`);
  const replacements: readonly (readonly [string, string])[] = [
    ['server 127.0.0.1:8080; # yours', servers.join('\n')],
    ['listen 443 ssl; # yours', `listen 127.0.0.1:${port} ssl;`],
    ['server_name pierone.example.org; # yours', 'server_name localhost;'],
    ['/etc/ssl/pierone/certificate.pem; # yours', `${certificateFile};`],
    ['/etc/ssl/pierone/key.pem; # yours', `${keyFile};`],
    ['upstream pierone {', `upstream ${name} {`],
    ['http://pierone;', `http://${name};`],
  ];
  const adapted = replacements.reduce(replaceOnce, text);
  if (wish.hasForwardedHeaders ?? true) return adapted;
  return adapted.replaceAll(/^ *proxy_set_header X-Forwarded-.*\n/gm, '');
}

function replaceOnce(text: string, [from, to]: readonly [string, string]): string {
  const pieces = text.split(from);
  if (pieces.length !== 2) throw new Error(`${CONFIGURATION} doesn't say "${from}" once`);
  return pieces.join(to);
}

/** What surrounds the sites: one worker process, so that each site has one pool of connections to the registry. */
function wrap(workspace: Workspace, sites: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${workspace.path(`nginx-${kind}`)};`,
  );
  return `daemon off;
worker_processes 1;
pid ${workspace.path('nginx.pid')};
error_log stderr warn;
events { worker_connections 4096; }
http {
access_log off;
${temporary.join('\n')}
${sites.join('\n')}
}
`;
}

async function makeCertificate(certificateFile: string, keyFile: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', keyFile, '-out', certificateFile];
  await run('openssl', ['req', '-x509', '-days', '2', ...key, ...subject, ...files]);
}

/** All sites of one nginx listen from the same moment on. */
async function acceptsConnections(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
