import type { Access, Caller } from '../auth/access.ts';
import { readCredential } from '../auth/credential.ts';
import type { Action, Decision } from '../auth/policy.ts';
import type { RefusalRecords } from '../meta/metadata-store.ts';
import { OciError } from '../oci/error.ts';
import { parseTag } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { Challenger } from './challenge.ts';
import type { Exchange } from './exchange.ts';
import type { Proxies } from './proxies.ts';

const CATALOG_SCOPE = 'registry:catalog:*';

export interface GateParts {
  readonly access: Access;
  readonly challenger: Challenger;
  readonly refusals: RefusalRecords;
  readonly proxies: Proxies;
}

/** What a request wants of a repository. */
export interface Wish {
  readonly action: Action;
  readonly repository: RepositoryName;
  /** What a manifest is pushed as. */
  readonly reference?: string;
}

/** Lets requests in, or says why not, and how to log in. Every refusal of a push is written to the audit trail. */
export class Gate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** True: what was answered depends on who asked. */
  get isClosed(): boolean {
    const { isSecured, allowsPublicRead } = this.#parts.access.settings;
    return isSecured && !allowsPublicRead;
  }

  /** @throws OciError when there is a credential, and it isn't valid */
  async callerOf(exchange: Exchange): Promise<Caller> {
    const { access, proxies } = this.#parts;
    const credential = readCredential(exchange.header('authorization'));
    try {
      return await access.authenticate(credential, () => proxies.clientOf(exchange).address);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      throw this.#withChallenge(error, exchange, undefined, 'invalid_token');
    }
  }

  /** GET /v2/ tells clients whether, and how, to log in: also where everyone may read, since docker asks but once. */
  requireKnown(exchange: Exchange, caller: Caller): void {
    if (!this.#parts.access.settings.isSecured || caller.identity || caller.granted) return;
    const error = new OciError('UNAUTHORIZED');
    throw this.#withChallenge(error, exchange, undefined, undefined);
  }

  /** @param isPublic whether public read covers it */
  requireLists(exchange: Exchange, caller: Caller, isPublic: boolean): void {
    const decision = this.#parts.access.decideLists(caller, isPublic);
    if (!decision.isAllowed) throw this.#refusal(decision, exchange, caller, CATALOG_SCOPE);
  }

  /** @throws OciError UNAUTHORIZED, DENIED, UNAVAILABLE */
  async require(exchange: Exchange, caller: Caller, wish: Wish): Promise<void> {
    const { action, repository } = wish;
    const decision = await this.#parts.access.decide(caller, action, repository);
    if (decision.isAllowed) return;
    if (action !== 'pull' && decision.code === 'DENIED') {
      await this.#record(caller, wish, decision.reason);
    }
    const actions = action === 'pull' ? 'pull' : 'pull,push';
    throw this.#refusal(decision, exchange, caller, `repository:${repository}:${actions}`);
  }

  /** Whether the caller may read the source of a mount: what it may not, it has to upload. */
  async mayPull(caller: Caller, repository: RepositoryName): Promise<boolean> {
    const { isAllowed } = await this.#parts.access.decide(caller, 'pull', repository);
    return isAllowed;
  }

  async #record({ principal }: Caller, wish: Wish, reason: string): Promise<void> {
    const { repository, reference } = wish;
    const tag = parseTag(reference ?? '');
    await this.#parts.refusals.add({ principal, repository, tag, reason });
  }

  #refusal(
    decision: Exclude<Decision, { isAllowed: true }>,
    exchange: Exchange,
    caller: Caller,
    scope: string,
  ): OciError {
    const error = new OciError(decision.code, { message: decision.reason });
    return this.#withChallenge(error, exchange, scope, caller.granted && 'insufficient_scope');
  }

  #withChallenge(
    error: OciError,
    exchange: Exchange,
    scope: string | undefined,
    problem: 'invalid_token' | 'insufficient_scope' | undefined,
  ): OciError {
    if (error.code !== 'UNAUTHORIZED') return error;
    const { challenger } = this.#parts;
    const { message, cause } = error;
    const headers = { 'WWW-Authenticate': challenger.challenge(exchange, scope, problem) };
    return new OciError('UNAUTHORIZED', { message, cause, headers });
  }
}
