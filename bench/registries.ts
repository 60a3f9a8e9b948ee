import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Child, startChild, stopAtEnd } from './child.ts';
import { makeDirectory, removeDirectories, removeDirectory } from './directories.ts';

/** A running registry with an empty store. */
export interface Registry {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  /** Where /metrics is; undefined: it has none. */
  readonly managementUrl?: string;
  /** The process that is measured. PostgreSQL's are others. */
  readonly pid: number;
  /** Ends the process and removes its store. */
  readonly stop: () => Promise<void>;
}

export type Start = () => Promise<Registry>;

export interface NodeOptions {
  /** What Node.js runs: our build, unless told. */
  readonly entry?: string;
  /** Arguments of Node.js itself. */
  readonly nodeArguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** As `npm start` does. */
const START_ARGUMENTS = ['--max-semi-space-size=4'];
const START_ENVIRONMENT = { UV_THREADPOOL_SIZE: '16' };
const LISTENING = z.object({ url: z.string(), managementUrl: z.string() });
const PEER = '/usr/bin/docker-registry';
const START_LIMIT_MS = 60_000;
const PING_INTERVAL_MS = 50;

stopAtEnd(removeDirectories);

/** Starts Pier One, on its embedded PostgreSQL. */
export async function startOurs(options: NodeOptions = {}): Promise<Registry> {
  const { entry = MAIN, nodeArguments = [], environment = {} } = options;
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run npm run build`);
  const directory = makeDirectory();
  const child = startChild(process.execPath, [...START_ARGUMENTS, ...nodeArguments, entry], {
    ...START_ENVIRONMENT,
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    HTTP_PORT: '0',
    MGMT_HTTP_PORT: '0',
    STORAGE_DIRECTORY: directory,
    ...environment,
  });
  return untilReady(child, directory, firstListening(child));
}

/**
 * Starts the peer, distribution 2.8 as Debian ships it (`scripts/install-test-dependencies bench`).
 * @param driver its storage driver with its parameters; a new directory unless given
 */
export async function startPeer(driver?: Readonly<Record<string, object>>): Promise<Registry> {
  if (!existsSync(PEER))
    throw new Error(`${PEER} is missing: scripts/install-test-dependencies bench`);
  const directory = makeDirectory();
  const port = await findFreePort();
  const config = join(directory, 'config.json');
  // JSON is YAML too.
  writeFileSync(
    config,
    JSON.stringify(peerConfig(driver ?? { filesystem: { rootdirectory: directory } }, port)),
  );
  const child = startChild(PEER, ['serve', config], {});
  return untilReady(child, directory, firstAnswer(`http://127.0.0.1:${port}`));
}

export function peerVersion(): string {
  const text = execFileSync(PEER, ['--version']).toString();
  return `distribution ${/\d+\.\d+\.\d+\S*/.exec(text)?.[0] ?? 'of an unknown version'}`;
}

function peerConfig(driver: Readonly<Record<string, object>>, port: number): object {
  return {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      ...driver,
      cache: { blobdescriptor: 'inmemory' },
      delete: { enabled: false },
      // On S3 it would send clients there.
      redirect: { disable: true },
    },
    http: { addr: `127.0.0.1:${port}` },
  };
}

async function untilReady(
  child: Child,
  directory: string,
  ready: Promise<Pick<Registry, 'url' | 'managementUrl'>>,
): Promise<Registry> {
  const stop = async () => {
    await child.stop();
    removeDirectory(directory);
  };
  try {
    return { ...(await Promise.race([ready, deadline()])), pid: child.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function deadline(): Promise<never> {
  return new Promise((_, reject) => {
    const late = () => reject(new Error('the registry did not listen in time'));
    setTimeout(late, START_LIMIT_MS).unref();
  });
}

/** The addresses in our log's line "listening". */
async function firstListening(child: Child): Promise<{ url: string; managementUrl: string }> {
  return LISTENING.parse(JSON.parse(await child.line(/"msg":"listening"/)));
}

async function firstAnswer(url: string): Promise<{ url: string }> {
  const end = Date.now() + START_LIMIT_MS;
  while (Date.now() < end) {
    const answer = await fetch(`${url}/v2/`).catch(() => undefined);
    if (answer?.ok) return { url };
    await new Promise((resolve) => setTimeout(resolve, PING_INTERVAL_MS));
  }
  throw new Error(`${url} did not answer in time`);
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('no free port');
  return address.port;
}
