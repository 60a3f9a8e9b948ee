import { AccessClient, pushImage } from './access-client.ts';
import { basic, bearer } from './access-scene.ts';
import { type HttpAnswer, HttpClient } from './http-client.ts';
import type { IdentityProvider } from './identity-provider.ts';
import { githubActionsClaims } from './identity-provider-claims.ts';
import { JsonValue } from './json.ts';
import { RawClient } from './raw-http.ts';
import type { SecretSearch } from './secret-search.ts';

type Headers = Readonly<Record<string, string>>;

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

/** Every kind of credential in every place where one can stand, right and wrong, and all that is answered. */
export class AccessFullRun {
  readonly #url: string;
  readonly #provider: IdentityProvider;
  readonly #search: SecretSearch;
  readonly #name: string;
  readonly statuses = new Map<number, number>();
  #count = 0;

  constructor(url: string, provider: IdentityProvider, search: SecretSearch, name: string) {
    this.#url = url;
    this.#provider = provider;
    this.#search = search;
    this.#name = name;
  }

  /** What works, and what is refused to those who are known. */
  async useGoodOnes(): Promise<void> {
    for (const uid of ['alice', 'eve', 'stups_robot']) {
      const token = this.#opaque(uid);
      for (const credential of [bearer(token), basic('oauth2', token), scheme('Token', token)]) {
        await this.#useAll(credential);
      }
      await this.#useForm('oauth2', token);
      await this.#useRegistryToken(basic('oauth2', token));
    }
    const claims = githubActionsClaims('acme/app');
    const jwt = this.#search.addJwt('a JWT', await this.#provider.mintJwt(claims));
    await this.#useAll(bearer(jwt));
    await this.#useRegistryToken(basic('oauth2', jwt));
    const document = this.#search.addLines('a document', this.#provider.addInstance());
    await this.#useAll(basic('instance-identity-document', document));
    await this.#useForm('instance-identity-document', document);
    await this.#useRegistryToken(basic('instance-identity-document', document));
  }

  /** What is refused, and why. */
  async useBadOnes(): Promise<void> {
    const expired = { iat: 1, exp: 2 };
    const mint = (claims: object, options = {}) =>
      this.#provider.mintJwt({ ...githubActionsClaims('acme/app'), ...claims }, options);
    const jwts = [
      await mint(expired),
      await mint({ aud: 'other' }),
      await mint({ repository_owner: 'evil' }),
      await mint({}, { key: 'foreign' }),
      await mint({}, { alg: 'none' }),
      await mint({ sub: undefined }),
      await mint({ iss: 'https://issuer.example.org' }),
    ];
    for (const jwt of jwts) await this.#useAll(bearer(this.#search.addJwt('a bad JWT', jwt)));
    for (const token of [this.#made(), this.#opaque('alice', -1)]) {
      await this.#useAll(bearer(token));
      await this.#useForm('oauth2', token);
    }
    const forged = this.#search.addLines('a forged document', this.#provider.forgeInstance());
    await this.#useAll(basic('instance-identity-document', forged));
    // More often than a login may fail.
    const bad = bearer(this.#made());
    for (let n = 0; n < 5; n += 1) await this.#useAll(bad);
  }

  /** What is no credential, and what stands where none belongs. */
  async useMalformedOnes(): Promise<void> {
    const odd: Headers[] = [
      { Authorization: this.#made() },
      scheme('Digest', `username="a", response="${this.#made()}"`),
      scheme('Negotiate', this.#made()),
      scheme('Basic', this.#made()),
      scheme('Bearer', `${this.#made()} and more`),
      scheme('Bearer', `"${this.#made()}"`),
      scheme('Bearer', ''),
      basic('alice', this.#made()),
      basic(this.#made(), ''),
      basic('oauth2', `${this.#made()}\n`),
      { Cookie: `session=${this.#made()}`, 'Proxy-Authorization': `Bearer ${this.#made()}` },
      { 'X-Auth-Token': this.#made(), 'X-Registry-Auth': this.#made() },
    ];
    for (const headers of odd) await this.#useAll(headers);
    for (const grant of ['refresh_token', 'password', 'authorization_code', 'x']) {
      const fields = { grant_type: grant, refresh_token: this.#made(), code: this.#made() };
      await this.#post({ ...fields, username: 'alice', password: this.#made() });
    }
    await this.#post({ password: this.#made(), client_secret: this.#made() });
    await this.#post({ ...passwordOf('oauth2', this.#made()), pad: 'x'.repeat(70_000) });
    const token = encodeURIComponent(this.#made());
    for (const path of [
      `/token?access_token=${token}&password=${token}&scope=repository:${token}:pull`,
      `/v2/acme/app/manifests/1?access_token=${token}`,
      `/v2/?token=${token}`,
      `/nowhere?token=${token}`,
    ]) {
      await this.#send('GET', path, {});
      await this.#send('POST', path, {});
    }
    for (const head of this.#malformedHeads()) await this.#sendRaw(head);
  }

  /** While what the registry asks is down, in several ways. */
  async useDuringOutages(): Promise<void> {
    const echo = (token: string) => JSON.stringify({ error: `no ${token}`, access_token: token });
    for (const kind of ['reset', 'cut', 'endless'] as const) {
      for (const endpoint of ['tokeninfo', 'introspection', 'iidinfo', 'teams'] as const) {
        this.#provider.plan(endpoint, { kind });
      }
      await this.useUnseenOnes();
    }
    for (const status of [200, 302, 400, 403, 500]) {
      const token = this.#opaque('alice');
      for (const endpoint of ['tokeninfo', 'introspection', 'iidinfo'] as const) {
        const headers = { location: `/elsewhere?access_token=${token}` };
        this.#provider.plan(endpoint, { kind: 'answer', status, headers, body: echo(token) });
      }
      await this.#useAll(bearer(token));
      await this.useUnseenOnes();
    }
    await this.#provider.vanish();
    await this.useUnseenOnes();
    await this.#provider.comeBack();
  }

  /** Credentials that nobody has seen before. Ends the provider's faults. */
  async useUnseenOnes(): Promise<void> {
    await this.#useAll(bearer(this.#opaque('alice')));
    await this.#useForm('oauth2', this.#opaque('eve'));
    const document = this.#search.addLines('a document', this.#provider.addInstance());
    await this.#useAll(basic('instance-identity-document', document));
    this.#provider.mend();
  }

  async #useAll(headers: Headers): Promise<void> {
    const client = new AccessClient(this.#url, headers);
    this.#count += 1;
    this.#hear(await pushImage(client, 'acme/app', `t${this.#count}`).catch(() => undefined));
    await this.#send('GET', '/v2/', headers);
    await this.#send('GET', '/v2/acme/app/manifests/1', headers);
    await this.#send('POST', '/v2/acme/app/blobs/uploads/', headers);
    await this.#send('HEAD', '/v2/acme/app/manifests/none', headers);
    await this.#send('PUT', '/v2/evil/app/manifests/1', headers);
    await this.#send('PUT', '/v2/acme/app/manifests/1', { ...headers, 'X-SCM-Source': 'x' });
    await this.#send('DELETE', '/v2/acme/app/manifests/1', headers);
    await this.#send('GET', '/v2/_catalog?n=x', headers);
    await this.#send('GET', '/v2/Bad/manifests/1', headers);
    await this.#send('GET', '/nowhere', headers);
  }

  async #useForm(username: string, password: string): Promise<void> {
    const scope = 'repository:acme/app:pull,push repository:evil/app:push';
    await this.#post({ ...passwordOf(username, password), scope });
  }

  async #useRegistryToken(credential: Headers): Promise<void> {
    const path =
      '/token?service=pierone&scope=repository:acme/app:pull,push&scope=repository:evil/app:push';
    const answer = await new AccessClient(this.#url, credential).send('GET', path);
    if (answer.status !== 200) return this.#hear(answer);
    const token = JsonValue.parse(answer.body.toString()).at('token').text;
    this.#search.addJwt('a registry token', token);
    const [head = '', payload = '', signature = ''] = token.split('.');
    const forged = `${head}.${payload}.${signature.slice(1)}A`;
    this.#search.addJwt('a forged registry token', forged);
    for (const one of [token, forged]) {
      await this.#useAll(bearer(one));
      await this.#useAll(basic('oauth2', one));
      await this.#useForm('oauth2', one);
    }
  }

  /** Requests that are none, and too long ones. */
  *#malformedHeads(): Iterable<string> {
    const line = () => `Authorization: Bearer ${this.#made()}\r\n`;
    yield `GET /v2/ HTTP/1.1\r\nHost: x\r\n${line()}Bad Header\r\n\r\n`;
    yield `GET /v2/ HTTP/9.9\r\nHost: x\r\n${line()}\r\n`;
    yield `GET /v2/ HTTP/1.1\r\n${line()}\r\n`;
    yield `GET /v2/ HTTP/1.1\r\nHost: x\r\n${line()}Content-Length: x\r\n\r\n`;
    yield `GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n Bearer ${this.#made()}\r\n\r\n`;
    yield `GET /v2/ HTTP/1.1\r\nHost: x\r\n${line()}${line()}Connection: close\r\n\r\n`;
    yield `GET /v2/ HTTP/1.1\r\nHost: oauth2:${this.#made()}@x\r\nConnection: close\r\n\r\n`;
    yield `GET /v2/ HTTP/1.1\r\nHost: x\r\n${line()}Pad: ${'x'.repeat(40_000)}\r\n\r\n`;
    yield `GET http://oauth2:${this.#made()}@x/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    yield `Bearer ${this.#made()}\r\n\r\n`;
  }

  async #sendRaw(head: string): Promise<void> {
    const raw = await RawClient.openUrl(this.#url);
    raw.send(head);
    raw.end();
    this.#search.hear(`answers of ${this.#name}`, (await raw.readToEnd()).toString());
    raw.destroy();
  }

  async #post(fields: Readonly<Record<string, string>>): Promise<void> {
    const body = new URLSearchParams(fields).toString();
    await this.#send('POST', '/token', FORM, body);
  }

  async #send(method: string, path: string, headers: Headers, body = ''): Promise<void> {
    const answer = await new HttpClient(this.#url).send(method, path, { headers, body });
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    const isToken = answer.status === 200 && path.startsWith('/token');
    if (!isToken) this.#hear(answer);
  }

  #hear(answer: HttpAnswer | undefined): void {
    if (!answer) return;
    const { headers, body } = answer;
    this.#search.hear(`answers of ${this.#name}`, JSON.stringify(headers), body.toString());
  }

  #opaque(uid: string, lifetimeSeconds = 3600): string {
    return this.#search.add(
      `a token ${(this.#count += 1)}`,
      this.#provider.issueToken(uid, { lifetimeSeconds }),
    );
  }

  /** One that nobody has given out. */
  #made(): string {
    const token = this.#provider.issueToken('alice');
    this.#provider.revoke(token);
    return this.#search.add(`a made-up token ${(this.#count += 1)}`, token);
  }
}

function scheme(name: string, value: string): Headers {
  return { Authorization: `${name} ${value}` };
}

function passwordOf(username: string, password: string) {
  return { grant_type: 'password', service: 'pierone', username, password };
}
