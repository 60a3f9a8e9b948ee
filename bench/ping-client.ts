import { Connection } from './connection.ts';

/**
 * Sends GET /v2/ every 5 ms, on one connection, until SIGTERM; then prints the latencies in ms. While one is unanswered
 * none is sent, but each that was due meanwhile counts, from when it was due: else a long stall would count once.
 * Argument: the registry's URL. A process of its own: in that of the pushes it would wait for them.
 */
const INTERVAL_MS = 5;
const LIMIT_MS = 10 * 60_000;

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const connection = new Connection(process.argv[2] ?? '');
await ping();
console.log('ready');
const latencies: number[] = [];
const end = performance.now() + LIMIT_MS;
while (!stop.signal.aborted && performance.now() < end) {
  const start = performance.now();
  await ping();
  const latency = performance.now() - start;
  for (let waited = latency; waited > 0; waited -= INTERVAL_MS) latencies.push(waited);
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS - (latency % INTERVAL_MS)));
}
connection.close();
console.log(JSON.stringify(latencies));

async function ping(): Promise<void> {
  const { status } = await connection.send({ method: 'GET', path: '/v2/' });
  if (status !== 200) throw new Error(`GET /v2/ was answered with ${status}`);
}
