import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import autocannon from 'autocannon';
import { HttpClient } from '../test/support/http-client.ts';
import { Connection } from './connection.ts';
import type { Figure } from './figure.ts';
import { cpuSeconds } from './process-usage.ts';
import type { Subject } from './scene.ts';

export interface SmallRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the body must be, where it is known. */
  readonly body?: Uint8Array;
}

const CONNECTIONS = 16;
const HEAD_REQUESTS = 5_000;

/** autocannon checks each body, and asks 50,000 times a second at most; wrk asks faster, and checks each status. */
export type Asker = 'autocannon' | 'wrk';

interface Asked {
  readonly requests: number;
  readonly perSecond: number;
}

const ASK = { autocannon: askWithAutocannon, wrk: askWithWrk };

/** Asks for so many seconds; status and bytes are checked before and after, too. */
export async function measureGets(
  { registry: { url, pid } }: Pick<Subject, 'registry'>,
  request: SmallRequest,
  seconds: number,
  asker: Asker,
): Promise<Figure> {
  await check(url, request);
  const cpuBefore = cpuSeconds(pid);
  const { requests, perSecond } = await ASK[asker](url, request, seconds);
  const cpu = cpuSeconds(pid) - cpuBefore;
  await check(url, request);
  return { value: perSecond, cpuSeconds: (cpu / requests) * 1000 };
}

/** HEADs over several connections of our own, since wrk waits for the body; their number is limited by the client. */
export async function measureHeads(
  { registry: { url, pid } }: Subject,
  { path, headers = {} }: SmallRequest,
): Promise<Figure> {
  const connections = Array.from({ length: CONNECTIONS }, () => new Connection(url));
  try {
    const cpuBefore = cpuSeconds(pid);
    let left = HEAD_REQUESTS;
    const ask = async (connection: Connection) => {
      while (left > 0) {
        left -= 1;
        const { status } = await connection.send({ method: 'HEAD', path, headers });
        if (status !== 200) throw new Error(`HEAD ${path} was answered with ${status}`);
      }
    };
    await Promise.all(connections.map(ask));
    const cpu = ((cpuSeconds(pid) - cpuBefore) / HEAD_REQUESTS) * 1000;
    return { value: cpu, cpuSeconds: cpu };
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function check(url: string, { path, headers = {}, body }: SmallRequest): Promise<void> {
  const answer = await new HttpClient(url).send('GET', path, { headers });
  if (answer.status !== 200) throw new Error(`GET ${path} was answered with ${answer.status}`);
  if (body && !answer.body.equals(body)) throw new Error(`GET ${path} gave other bytes`);
}

async function askWithAutocannon(
  url: string,
  { path, headers = {}, body }: SmallRequest,
  seconds: number,
): Promise<Asked> {
  const { non2xx, errors, mismatches, requests } = await autocannon({
    url: url + path,
    headers: { ...headers },
    connections: CONNECTIONS,
    duration: seconds,
    ...(body && { expectBody: Buffer.from(body).toString() }),
  });
  if (non2xx + errors + mismatches > 0) {
    throw new Error(`${path}: ${non2xx} statuses, ${mismatches} bodies, ${errors} errors`);
  }
  return { requests: requests.total, perSecond: requests.average };
}

export async function askWithWrk(
  url: string,
  { path, headers = {} }: SmallRequest,
  seconds: number,
): Promise<Asked> {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const options = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, ...fields];
  const child = spawn('wrk', [...options, url + path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${output}`);
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(`wrk met errors: ${output}`);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  if (!requests || !perSecond) throw new Error(`wrk said ${output}`);
  return { requests, perSecond };
}
