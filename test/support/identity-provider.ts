import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { findFreePorts } from './free-ports.ts';
import { answerOf } from './identity-provider-endpoints.ts';
import { type ProviderFault, respond } from './identity-provider-faults.ts';
import { type InstanceDocument, Instances } from './identity-provider-instances.ts';
import { type JwtOptions, SigningKeys } from './identity-provider-keys.ts';
import { Logins } from './identity-provider-logins.ts';
import { type Employee, People, type Principal, type Service } from './identity-provider-people.ts';
import {
  endpointOf,
  PATHS,
  type ProviderEndpoint,
  type ProviderRequest,
} from './identity-provider-request.ts';
import type { ClientCredentials, ProviderState } from './identity-provider-state.ts';
import {
  OpaqueTokens,
  TOKEN_LIFETIME_SECONDS,
  type TokenOptions,
} from './identity-provider-tokens.ts';

export interface IdentityProviderOptions {
  /** A free one unless said. */
  readonly port?: number;
  /** A name by which others reach it, who need not be on this machine; 127.0.0.1, and for this machine, unless said. */
  readonly host?: string | undefined;
  /** Of the tokens, unless they say something else; `pierone` unless said. */
  readonly audience?: string;
  /** Who may ask about tokens. */
  readonly client?: ClientCredentials;
}

export interface PlannedProviderFault {
  /** How often it has happened. */
  count(): number;
  end(): void;
}

const LOOPBACK = '127.0.0.1';
/** A test with a million requests keeps its memory. */
const KEPT_REQUESTS = 1000;
/** Longer bodies are none of the registry's. */
const MAX_BODY_BYTES = 64 * 1024;

/** @returns a provider that listens, on 127.0.0.1 unless it has a name */
export async function startIdentityProvider(
  options: IdentityProviderOptions = {},
): Promise<IdentityProvider> {
  const { audience = 'pierone', client = { id: 'pierone', secret: 'pierone-secret' } } = options;
  const [freePort = 0] = options.port === undefined ? await findFreePorts(1) : [options.port];
  const issuer = `http://${options.host ?? LOOPBACK}:${freePort}`;
  const provider = new IdentityProvider({
    issuer,
    audience,
    client,
    people: new People(),
    tokens: new OpaqueTokens(),
    keys: await SigningKeys.create(),
    instances: new Instances(),
    logins: new Logins(),
  });
  await provider.comeBack();
  return provider;
}

/**
 * Tells who has a token, what teams people are in and what applications belong to, and which machines are known: in one
 * server what an organisation has in several. It makes trouble when it is told to.
 */
export class IdentityProvider {
  readonly #state: ProviderState;
  readonly #server: Server;
  readonly #faults = new Set<{ take(endpoint: ProviderEndpoint): ProviderFault | undefined }>();
  /** The last ones. */
  readonly #requests: ProviderRequest[] = [];
  readonly #counts = new Map<ProviderEndpoint, number>();

  constructor(state: ProviderState) {
    this.#state = state;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /** Also the base of the team service and of Kio. */
  get issuer(): string {
    return this.#state.issuer;
  }

  get audience(): string {
    return this.#state.audience;
  }

  /** Who may ask about tokens. */
  get client(): ClientCredentials {
    return this.#state.client;
  }

  urlOf(endpoint: keyof typeof PATHS): string {
    return `${this.issuer}${PATHS[endpoint]}`;
  }

  /** The settings by which the registry asks here about opaque tokens, teams, applications and machines. */
  get environment() {
    return {
      HTTP_TOKENINFO_URL: this.urlOf('tokeninfo'),
      HTTP_TEAM_SERVICE_URL: this.issuer,
      HTTP_KIO_URL: this.issuer,
      HTTP_IIDINFO_URL: this.urlOf('iidinfo'),
    };
  }

  /** How people log in with programs of theirs. */
  get logins(): Logins {
    return this.#state.logins;
  }

  /** @throws Error for a uid that nobody has */
  principal(uid: string): Principal {
    return this.#state.people.principal(uid);
  }

  /** Also changes what is known of one: its tokens stay. */
  addEmployee(employee: Employee): void {
    this.#state.people.addEmployee(employee);
  }

  addService(service: Service): void {
    this.#state.people.addService(service);
  }

  /** An opaque token of an employee or service. @throws Error for a uid that nobody has */
  issueToken(uid: string, options: TokenOptions = {}): string {
    const { people, tokens } = this.#state;
    return tokens.issue(people.principal(uid), options).token;
  }

  /** Any token of this form is theirs, for tests with more tokens than should be kept. */
  recognise(form: RegExp, uid: string): void {
    this.#state.tokens.recognise(form, this.#state.people.principal(uid));
  }

  /** @throws Error for a token that isn't there */
  revoke(token: string): void {
    this.#state.tokens.revoke(token);
  }

  /** A known machine's document, in several lines as EC2 hands it out. */
  addInstance(document: Partial<InstanceDocument> = {}): string {
    return this.#state.instances.add(document);
  }

  /** The document of a machine that nobody knows. */
  forgeInstance(): string {
    return this.#state.instances.forge();
  }

  /**
   * @param claims over those that every JWT has: `iss`, `aud`, `iat` and `exp`, which is in an hour; `undefined` leaves one out
   */
  mintJwt(claims: Readonly<Record<string, unknown>>, options: JwtOptions = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const { issuer: iss, audience: aud, keys } = this.#state;
    const usual = { iss, aud, iat: now, exp: now + TOKEN_LIFETIME_SECONDS };
    return keys.sign({ ...usual, ...claims }, options);
  }

  /** Of the key that signs. */
  kid(alg?: 'RS256' | 'ES256'): string {
    return this.#state.keys.kid(alg);
  }

  /** Those before are no longer published, unless they are kept until the next rotation; `kid` of a JWT can name them. */
  rotateKeys(options: { readonly keepOld?: boolean } = {}): Promise<void> {
    return this.#state.keys.rotate(options);
  }

  /** The oldest fault of an endpoint has its requests. @param times it ends by itself after so many */
  plan(
    endpoint: ProviderEndpoint,
    fault: ProviderFault,
    times = Number.POSITIVE_INFINITY,
  ): PlannedProviderFault {
    let count = 0;
    const planned = {
      take: (asked: ProviderEndpoint) => {
        if (asked !== endpoint || count >= times) return undefined;
        count += 1;
        return fault;
      },
    };
    this.#faults.add(planned);
    return { count: () => count, end: () => void this.#faults.delete(planned) };
  }

  /** Ends all faults; what hangs goes on hanging. */
  mend(): void {
    this.#faults.clear();
  }

  /** The last thousand, in the order in which they came; also those that were never answered. */
  requests(endpoint?: ProviderEndpoint): readonly ProviderRequest[] {
    return this.#requests.filter((one) => endpoint === undefined || one.endpoint === endpoint);
  }

  /** How many requests came, of one endpoint or in all. */
  count(endpoint?: ProviderEndpoint): number {
    if (endpoint !== undefined) return this.#counts.get(endpoint) ?? 0;
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Forgets the requests so far. */
  clear(): void {
    this.#requests.splice(0);
    this.#counts.clear();
  }

  /** It is gone: connections break, and new ones are refused. */
  async vanish(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** It is back, at the same port. */
  async comeBack(): Promise<void> {
    if (this.#server.listening) return;
    const { port, hostname } = new URL(this.issuer);
    this.#server.listen(Number(port), hostname === LOOPBACK ? LOOPBACK : '0.0.0.0');
    await once(this.#server, 'listening');
  }

  close(): Promise<void> {
    return this.vanish();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '/', headers } = incoming;
    const endpoint = endpointOf(target);
    const request = { endpoint, method, target, headers, body: await readBody(incoming) };
    this.#note(request);
    await respond(response, this.#takeFault(endpoint), () => answerOf(request, this.#state));
  }

  #note(request: ProviderRequest): void {
    this.#counts.set(request.endpoint, this.count(request.endpoint) + 1);
    this.#requests.push(request);
    if (this.#requests.length > KEPT_REQUESTS) this.#requests.shift();
  }

  #takeFault(endpoint: ProviderEndpoint): ProviderFault | undefined {
    for (const planned of this.#faults) {
      const fault = planned.take(endpoint);
      if (fault) return fault;
    }
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    if (!Buffer.isBuffer(piece)) throw new TypeError('a body of text');
    length += piece.length;
    if (length > MAX_BODY_BYTES) throw new RangeError('a body that is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
