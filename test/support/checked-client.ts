import { type HttpAnswer, HttpClient, type HttpOptions } from './http-client.ts';
import { RestDocument } from './rest-documents.ts';
import { openFixture, type RegistryFixture } from './test-registry.ts';

/** Holds each answer that isn't below /v2/ to the server's OpenAPI document. */
export class CheckedClient extends HttpClient {
  readonly #document: RestDocument;

  constructor(url: string, document: RestDocument) {
    super(url);
    this.#document = document;
  }

  override async send(method: string, path: string, options?: HttpOptions): Promise<HttpAnswer> {
    const answer = await super.send(method, path, options);
    if (!/^\/v2(\/|$)/.test(path)) this.#document.check(method, path, answer);
    return answer;
  }
}

/** A registry whose REST API can't answer other than it says. */
export async function openRestFixture(
  environment?: Readonly<Record<string, string>>,
): Promise<RegistryFixture> {
  const fixture = await openFixture(environment);
  const document = await RestDocument.read(fixture.registry.api);
  const api = new CheckedClient(fixture.registry.url, document);
  return { ...fixture, registry: { ...fixture.registry, api } };
}
