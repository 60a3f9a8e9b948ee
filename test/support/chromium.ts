import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { BrowserPage } from './browser-page.ts';
import { DevTools } from './devtools.ts';
import type { Workspace } from './workspace.ts';

/** What a browser gets to end by itself before it is killed. */
const END_TIMEOUT_MS = 20_000;

/** A browser without a window. */
export interface Chromium {
  /** An empty page; what it does from then on is recorded. */
  openPage(): Promise<BrowserPage>;
}

/**
 * Starts Debian's Chromium with a profile in a workspace; ended with that.
 * @param localName a name that means 127.0.0.1; no other name means anything
 */
export async function startChromium(workspace: Workspace, localName: string): Promise<Chromium> {
  const home = workspace.path('chromium');
  await mkdir(home);
  const child = spawn('chromium', flags(home, localName), {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home, LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close').catch(() => []);
  workspace.defer(() => end(child, closed));
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  const devTools = connect(child);
  await devTools.send('Browser.getVersion').catch((cause: unknown) => {
    throw new Error(`chromium did not start:\n${stderr}`, { cause });
  });
  return { openPage: () => openPage(devTools) };
}

function flags(home: string, localName: string): string[] {
  return [
    '--headless=new',
    '--remote-debugging-pipe',
    `--user-data-dir=${home}/profile`,
    `--host-resolver-rules=MAP ${localName} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--disable-sync',
    '--no-first-run',
    '--no-proxy-server',
    // Its sandbox doesn't run as root.
    ...(process.geteuid?.() === 0 ? ['--no-sandbox'] : []),
  ];
}

function connect(child: ChildProcess): DevTools {
  const [, , , input, output] = child.stdio;
  if (!(input instanceof Writable) || !(output instanceof Readable)) {
    throw new TypeError('there are no pipes to the browser');
  }
  return new DevTools(input, output);
}

async function openPage(devTools: DevTools): Promise<BrowserPage> {
  const created = await devTools.send('Target.createTarget', { url: 'about:blank' });
  const { targetId } = z.object({ targetId: z.string() }).parse(created);
  const attached = await devTools.send('Target.attachToTarget', { targetId, flatten: true });
  const { sessionId } = z.object({ sessionId: z.string() }).parse(attached);
  const page = new BrowserPage(devTools, sessionId);
  await page.record();
  return page;
}

/** Its other processes end with it. */
async function end(child: ChildProcess, closed: Promise<unknown>): Promise<void> {
  const isRunning = child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  if (isRunning) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  await closed;
  clearTimeout(timer);
}
