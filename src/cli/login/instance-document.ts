import type { Environment } from '../environment.ts';
import { CliError, ConnectionError, EXIT, UsageError } from '../errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../http.ts';
import { sendDirectly } from '../http-direct.ts';

/** Who logs in with a machine's document. */
export const MACHINE = 'instance-identity-document';
const DEFAULT_ENDPOINT = 'http://169.254.169.254';
/** It is on the same machine. */
const TIMEOUT_MS = 3000;
const TOKEN_SECONDS = '60';
const MAX_BYTES = 64 * 1024;

/**
 * The signed document of this EC2 machine, by version 2 of its metadata service; never by a proxy, whose machine it would be.
 * Its line breaks stay: they are part of what is verified.
 */
export async function readInstanceDocument(environment: Environment): Promise<string> {
  const base = endpointOf(environment);
  const session = await ask({
    method: 'PUT',
    url: new URL('latest/api/token', base),
    headers: { 'X-aws-ec2-metadata-token-ttl-seconds': TOKEN_SECONDS, 'Content-Length': '0' },
  });
  return ask({
    url: new URL('latest/dynamic/instance-identity/pkcs7', base),
    headers: { 'X-aws-ec2-metadata-token': session },
  });
}

function endpointOf(environment: Environment): URL {
  const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
  const text = environment[name] || DEFAULT_ENDPOINT;
  if (!URL.canParse(text)) throw new UsageError(`${name} must be a URL, not ${text}.`);
  const url = new URL(text);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

async function ask(request: HttpRequest): Promise<string> {
  const { url } = request;
  let answer: HttpAnswer;
  let text: string;
  try {
    answer = await sendDirectly({ ...request, idleTimeoutMs: TIMEOUT_MS }, undefined);
    text = await readText(answer);
  } catch (error) {
    const message = `There is no EC2 metadata service at ${url.origin}: --instance-identity works on EC2 machines alone.`;
    throw new ConnectionError(message, { cause: error });
  }
  if (answer.status === 200 && text.trim() !== '') return text;
  throw new CliError(
    `The metadata service answers ${url.pathname} with status ${answer.status}: check that this machine may use it.`,
    answer.status >= 500 ? EXIT.unavailable : EXIT.failed,
  );
}

async function readText({ body }: HttpAnswer): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new RangeError('too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** Whether the registry takes it. @throws CliError */
export async function checkDocument(http: Http, url: string, document: string): Promise<void> {
  const credentials = Buffer.from(`${MACHINE}:${document}`).toString('base64');
  const answer = await http.send({
    url: new URL(`${url}/v2/`),
    headers: { Authorization: `Basic ${credentials}` },
  });
  await readText(answer);
  if (answer.status < 300) return;
  const { host } = new URL(url);
  if (answer.status === 401 || answer.status === 403) {
    throw new CliError(
      `${host} does not accept this machine's identity document: whoever runs it must set HTTP_IIDINFO_URL there.`,
      EXIT.notLoggedIn,
    );
  }
  throw new CliError(
    `${host} answers with status ${answer.status}: try again later.`,
    EXIT.unavailable,
  );
}
