import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { memberOf } from './client.ts';
import type { CommandContext } from './context.ts';
import { hasStatus } from './errors.ts';
import type { HttpAnswer } from './http.ts';

interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly message: string;
}

const TITLE = 'Pier One API';
const HELPER = 'docker-credential-pierone';
const MAX_SKEW_MS = 20_000;
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** The way from this machine to a registry: address, certificate, token, docker. Changes nothing. */
export async function* examineClient(context: CommandContext): AsyncGenerator<Finding> {
  const url = await context.url();
  const answer = yield* reach(context, url);
  if (!answer) return;
  yield* checkClock(answer);
  yield* checkTitle(context, url);
  yield* checkToken(context, answer.status);
  yield* checkDocker(context, new URL(url));
}

async function* reach(
  context: CommandContext,
  url: string,
): AsyncGenerator<Finding, HttpAnswer | undefined> {
  const check = 'registry';
  try {
    const answer = await (await context.http()).send({ url: new URL(`${url}/v2/`) });
    answer.cancel();
    const isSafe = url.startsWith('https:') || isLoopback(new URL(url).hostname);
    if (!isSafe) {
      yield warning('TLS', 'none: tokens can be read on their way; use a URL of https://');
    } else if (url.startsWith('https:')) yield ok('TLS', 'the certificate is trusted');
    const isRegistry = answer.status === 200 || answer.status === 401;
    yield isRegistry
      ? ok(check, `${url} answers as a registry`)
      : problem(check, `${url}/v2/ answers with status ${answer.status}: check the URL`);
    return isRegistry ? answer : undefined;
  } catch (error) {
    yield problem(check, messageOf(error));
    return undefined;
  }
}

function* checkClock({ headers }: HttpAnswer): Generator<Finding> {
  const skewMs = Date.now() - Date.parse(headers.date ?? '');
  if (Number.isNaN(skewMs)) return;
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  yield Math.abs(skewMs) <= MAX_SKEW_MS
    ? ok('clock', 'agrees with that of the registry')
    : warning(
        'clock',
        `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of the registry: set it, as by NTP`,
      );
}

async function* checkTitle(context: CommandContext, url: string): AsyncGenerator<Finding> {
  const check = 'API';
  try {
    const http = await context.http();
    const answer = await http.send({ url: new URL(`${url}/swagger.json`) });
    const text = await readText(answer);
    yield answer.status === 200 && text.includes(TITLE)
      ? ok(check, `it is a Pier One`)
      : warning(
          check,
          `its swagger.json does not say ${TITLE}: pull and push may work, and no other command`,
        );
  } catch (error) {
    yield problem(check, messageOf(error));
  }
}

async function readText({ body }: HttpAnswer): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_DOCUMENT_BYTES) break;
  }
  return Buffer.concat(pieces).toString();
}

/** @param statusWithout what the registry answered to who has no token */
async function* checkToken(
  context: CommandContext,
  statusWithout: number,
): AsyncGenerator<Finding> {
  const check = 'token';
  try {
    const client = await context.client();
    if (!client.hasToken) {
      yield statusWithout === 200
        ? ok(check, 'none, and none is needed to read')
        : problem(check, 'none: run pierone login, or set PIERONE_TOKEN');
      return;
    }
    (await client.open('/v2/')).cancel();
    yield ok(check, 'the registry accepts it');
  } catch (error) {
    yield hasStatus(error, 401)
      ? problem(check, 'the registry does not accept it: get a new one with pierone login')
      : problem(check, messageOf(error));
  }
}

async function* checkDocker({ environment }: CommandContext, url: URL): AsyncGenerator<Finding> {
  const path = environment['PATH'] ?? '';
  const check = 'docker';
  const [hasDocker, hasHelper] = await Promise.all([onPath(path, 'docker'), onPath(path, HELPER)]);
  if (!hasDocker) {
    yield ok(check, 'is not on the PATH, so it was not looked at');
    return;
  }
  const file = join(
    environment['DOCKER_CONFIG'] || join(environment['HOME'] ?? '', '.docker'),
    'config.json',
  );
  const config = await readJson(file);
  const helpers = memberOf(config, 'credHelpers');
  const isConfigured = [url.host, url.hostname].some(
    (name) => memberOf(helpers, name) === 'pierone',
  );
  yield isConfigured
    ? ok(check, `${file} names the credential helper for ${url.host}`)
    : warning(check, `${file} has no credential helper for ${url.host}: run pierone login`);
  if (hasHelper) yield ok(HELPER, 'is on the PATH');
  else if (isConfigured) {
    yield problem(
      HELPER,
      'is not on the PATH, where docker looks for it: put the folder of pierone there',
    );
  }
}

async function onPath(path: string, program: string): Promise<boolean> {
  for (const folder of path.split(delimiter)) {
    const isThere = await access(join(folder || '.', program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message };
}

function warning(check: string, message: string): Finding {
  return { check, status: 'warning', message };
}

function problem(check: string, message: string): Finding {
  return { check, status: 'problem', message };
}
