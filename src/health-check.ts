/*
 * The health check of containers: a program that asks the management port of the Pier One beside it, by the same
 * variables. Exit code 0: it is ready; 1: it isn't, and it says why. `live` as argument asks only whether it runs.
 */
const [question = 'ready'] = process.argv.slice(2);
const { MGMT_HTTP_HOST = '127.0.0.1', MGMT_HTTP_PORT = '7979' } = process.env;
/** Where everybody is listened to, the machine itself is too. */
const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
const host = everywhere[MGMT_HTTP_HOST] ?? MGMT_HTTP_HOST;
const url = `http://${host.includes(':') ? `[${host}]` : host}:${MGMT_HTTP_PORT}/health/${question}`;

try {
  const answer = await fetch(url);
  process.stdout.write(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  process.stdout.write(`${url}: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
}
