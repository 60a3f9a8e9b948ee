import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PIERONE, pierone } from '../support/pierone-command.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { endProcess, isRunning } from '../support/process-table.ts';
import { makeStorage, type StorageDirectory } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/* `pierone serve`: the server as a child of the command. */

let postgres: TestPostgres;
let storage: StorageDirectory;
let started: Serving[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  storage = await makeStorage();
});
afterEach(async () => {
  for (const { child, serverPid } of started.splice(0)) {
    child.kill('SIGKILL');
    await endProcess(serverPid);
  }
});
afterAll(async () => {
  await storage?.remove();
  await postgres?.stop();
});

interface Serving {
  readonly child: ChildProcess;
  readonly serverPid: number;
  readonly url: string;
  readonly lines: readonly string[];
  readonly ended: Promise<unknown[]>;
}

function environment(): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: '/nonexistent',
    DATABASE_URL: postgres.url,
    STORAGE_DIRECTORY: storage.path,
    HTTP_PORT: '0',
    MGMT_HTTP_PORT: '0',
  };
}

async function serve(changes: Record<string, string> = {}): Promise<Serving> {
  const child = spawn(process.execPath, [PIERONE, 'serve'], {
    env: { ...environment(), ...changes },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const listening = await waitUntil('the server', () =>
    lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .find(({ msg }) => msg === 'listening'),
  );
  const serverPid = await childOf(child.pid ?? 0);
  const serving = { child, serverPid, url: String(listening['url']), lines, ended };
  started.push(serving);
  return serving;
}

async function childOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim());
}

const isGone = (pid: number) => waitUntil(`the end of ${pid}`, () => !isRunning(pid));

test.each([
  ['SIGTERM', {}, '16'],
  ['SIGINT', { UV_THREADPOOL_SIZE: '5' }, '5'],
] as const)(
  'a server that runs as under npm start ends by %s, and its exit code is the command’s',
  async (signal, changes, threads) => {
    const { child, serverPid, lines, ended } = await serve(changes);
    const read = (file: string) => readFile(`/proc/${serverPid}/${file}`, 'utf8');
    expect(await read('cmdline')).toContain('--max-semi-space-size=4');
    expect((await read('environ')).split('\0')).toContain(`UV_THREADPOOL_SIZE=${threads}`);
    child.kill(signal);
    expect(await ended).toEqual([0, null]);
    expect(isRunning(serverPid)).toBe(false);
    expect(lines.at(-1)).toContain('"msg":"ended"');
  },
);

test('the server ends when the command is killed', async () => {
  const { child, serverPid, lines } = await serve();
  child.kill('SIGKILL');
  await isGone(serverPid);
  await waitUntil('the last line', () => lines.at(-1)?.includes('"msg":"ended"'));
});

test('the command ends by the signal that the server ended by', async () => {
  const { serverPid, ended } = await serve();
  process.kill(serverPid, 'SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
});

describe('at a terminal', () => {
  /** \x03 is what the terminal makes a SIGINT of, to all of its foreground processes. */
  test('Ctrl-C ends the server in good order, and is no second signal', async () => {
    const words = ['exec', process.execPath, PIERONE, 'serve'].join(' ');
    const child = spawn('script', ['--quiet', '--return', '--command', words, '/dev/null'], {
      env: { ...environment(), TERM: 'dumb' },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    let screen = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
    });
    try {
      await waitUntil('the server', () => screen.includes('Push a first image'));
      child.stdin.write('\x03');
      expect(await once(child, 'exit')).toEqual([0, null]);
      expect(screen).toContain('ended');
    } finally {
      child.kill('SIGKILL');
    }
  });
});

test('what the server says at its end is said, and its exit code is the exit code', async () => {
  const { exitCode, stderr } = await pierone(['serve'], {
    HTTP_PORT: 'x',
    PATH: process.env['PATH'] ?? '',
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('HTTP_PORT must be');
});

test('its help has the settings', async () => {
  const { stdout, exitCode } = await pierone(['serve', '--help']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /Usage: pierone serve[^]*Settings are environment variables:[^]*STORAGE_DIRECTORY \(default data\)/,
  );
});
