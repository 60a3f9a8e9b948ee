import type { Agent } from 'node:http';
import { type HttpAnswer, HttpClient, type HttpOptions } from './http-client.ts';
import { JsonValue } from './json.ts';
import { expectStatus, imageOf, pushBlob, putManifest, randomSample } from './sample-content.ts';

type Headers = Readonly<Record<string, string>>;

/** Sends every request with one credential. */
export class AccessClient extends HttpClient {
  readonly #credential: Headers;

  constructor(url: string, credential: Headers = {}, agent: Agent | false = false) {
    super(url, agent);
    this.#credential = credential;
  }

  override send(method: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
    const headers = { ...this.#credential, ...options.headers };
    return super.send(method, path, { ...options, headers });
  }
}

/** A small image, all of it. @returns the answer to its manifest */
export async function pushImage(
  client: HttpClient,
  repository: string,
  tag: string,
): Promise<HttpAnswer> {
  const config = randomSample(100);
  await pushBlob(client, repository, config);
  return putManifest(client, repository, tag, imageOf(config));
}

/** Asks for what a push of docker asks. */
export function askForToken(
  client: HttpClient,
  repository: string,
  actions = 'pull,push',
): Promise<HttpAnswer> {
  return client.send('GET', `/token?service=pierone&scope=repository:${repository}:${actions}`);
}

/** @returns a registry token */
export async function registryTokenOf(
  client: HttpClient,
  repository: string,
  actions = 'pull,push',
): Promise<string> {
  const { body } = await expectStatus(askForToken(client, repository, actions), 200);
  return JsonValue.parse(body.toString()).at('token').text;
}
