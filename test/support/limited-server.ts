import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { JsonValue } from './json.ts';
import { execute, type RunResult } from './process-runner.ts';
import { settingsOfWay } from './way.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** The unit of `ulimit -f` in POSIX. */
const BLOCK_BYTES = 512;

export interface LimitedServer {
  readonly url: string;
  /** SIGTERM, then waits. */
  stop(): Promise<void>;
}

/**
 * The built server, with no room for files larger than `maxFileBytes`: writes beyond fail with EFBIG, which needs no
 * privileges and no file system of its own. Node ignores the signal that comes with it.
 */
export async function startLimitedServer(
  maxFileBytes: number,
  environment: Readonly<Record<string, string>>,
): Promise<LimitedServer> {
  const script = `ulimit -f ${maxFileBytes / BLOCK_BYTES} && exec "$0" "$1"`;
  const child = spawn('sh', ['-c', script, process.execPath, MAIN], {
    env: {
      PATH: process.env['PATH'],
      HTTP_PORT: '0',
      MGMT_HTTP_PORT: '0',
      ...settingsOfWay(),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JsonValue.parse(line);
      if (entry.at('msg').text === 'listening') resolve(entry.at('url').text);
    });
  });
  const url = await Promise.race([listening, exited.then(() => undefined)]);
  if (url === undefined) throw new Error(`the server ended with code ${child.exitCode}`);
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Runs the built server, to its end, without root's privilege to go where permissions forbid it. */
export function runUnprivileged(environment: Readonly<Record<string, string>>): Promise<RunResult> {
  const env = { HTTP_PORT: '0', MGMT_HTTP_PORT: '0', ...settingsOfWay(), ...environment };
  const options = { env, timeoutMs: 60_000 };
  if (process.getuid?.() !== 0) return execute(process.execPath, [MAIN], options);
  const capabilities = '-dac_override,-dac_read_search';
  const drop = [`--bounding-set=${capabilities}`, `--inh-caps=${capabilities}`];
  return execute('setpriv', [...drop, process.execPath, MAIN], options);
}
