import { type HttpAnswer, HttpClient, type HttpOptions } from './http-client.ts';
import type { IdentityProvider } from './identity-provider.ts';

export interface JsonAnswer extends HttpAnswer {
  readonly json: unknown;
}

/** Asks a provider as others than the registry do. */
export class ProviderClient {
  readonly #provider: IdentityProvider;

  constructor(provider: IdentityProvider) {
    this.#provider = provider;
  }

  /** @throws SyntaxError when the answer isn't JSON */
  async ask(method: string, target: string, options: HttpOptions = {}): Promise<JsonAnswer> {
    const answer = await new HttpClient(this.#provider.issuer).send(method, target, options);
    const json: unknown = JSON.parse(answer.body.toString());
    return { ...answer, json };
  }

  tokeninfo(token: string, options: HttpOptions = {}): Promise<JsonAnswer> {
    const target = `/oauth2/tokeninfo?access_token=${encodeURIComponent(token)}`;
    return this.ask('GET', target, options);
  }

  /** As the client that may. */
  introspect(token: string): Promise<JsonAnswer> {
    const { id, secret } = this.#provider.client;
    return this.post('/oauth2/introspect', id, secret, { token });
  }

  /** A form, sent by a client with its id and secret. */
  post(
    target: string,
    id: string,
    secret: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<JsonAnswer> {
    const text = [id, secret].map((part) => encodeURIComponent(part)).join(':');
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    };
    return this.ask('POST', target, { headers, body: new URLSearchParams(fields).toString() });
  }
}
