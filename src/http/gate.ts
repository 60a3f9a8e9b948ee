import type { Access, Caller } from '../auth/access.ts';
import { readCredential } from '../auth/credential.ts';
import type { Action, Decision } from '../auth/policy.ts';
import { OciError } from '../oci/error.ts';
import { parseTag } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import {
  challengeOf,
  scopeFor,
  type TokenProblem,
  tokenRealm,
  type WantedScope,
  withChallenge,
} from './challenge.ts';
import type { Exchange } from './exchange.ts';
import type { Proxies } from './proxies.ts';

/** How clients are asked to log in. */
export interface ChallengeSettings {
  readonly kind: 'basic' | 'bearer';
  /** Of registry tokens. */
  readonly service: string;
  readonly externalUrl: string | undefined;
}

export interface GateParts {
  readonly access: Access;
  readonly challenge: ChallengeSettings;
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

  /**
   * @param scopeOf what a new token must allow; asked for where one is needed
   * @throws OciError when there is a credential, and it isn't valid
   */
  async callerOf(
    exchange: Exchange,
    scopeOf: () => WantedScope = () => undefined,
  ): Promise<Caller> {
    const { access, proxies } = this.#parts;
    const credential = readCredential(exchange.header('authorization'));
    try {
      return await access.authenticate(credential, () => proxies.clientOf(exchange).address);
    } catch (error) {
      const problem = {
        error: 'invalid_token',
        description: error instanceof Error ? error.message : undefined,
      } as const;
      throw withChallenge(error, this.#challenge(exchange, scopeOf(), problem));
    }
  }

  /** Who asks, if nobody has to be asked for that. */
  knownCaller(exchange: Exchange): Caller | undefined {
    return this.#parts.access.knownCaller(readCredential(exchange.header('authorization')));
  }

  /** Whether GET /v2/ needs no other credential. */
  isKnown({ identity, granted }: Caller): boolean {
    return !this.#parts.access.settings.isSecured || Boolean(identity ?? granted);
  }

  /** GET /v2/ tells clients whether, and how, to log in: also where everyone may read, since docker asks but once. */
  requireKnown(exchange: Exchange, caller: Caller): void {
    if (this.isKnown(caller)) return;
    throw withChallenge(new OciError('UNAUTHORIZED'), this.#challenge(exchange, undefined));
  }

  /** @param isPublic whether public read covers it */
  requireLists(exchange: Exchange, caller: Caller, isPublic: boolean): void {
    const decision = this.#parts.access.decideLists(caller, isPublic);
    if (!decision.isAllowed) throw this.#refusal(decision, exchange, caller, 'catalog');
  }

  /** @throws OciError UNAUTHORIZED, DENIED, UNAVAILABLE */
  async require(exchange: Exchange, caller: Caller, wish: Wish): Promise<void> {
    const { action, repository } = wish;
    const decision = await this.#parts.access.decide(caller, action, repository);
    if (decision.isAllowed) return;
    if (action !== 'pull' && decision.code === 'DENIED') {
      await this.#record(caller, wish, decision.reason);
    }
    throw this.#refusal(decision, exchange, caller, scopeFor(repository, action));
  }

  mayPull(caller: Caller, repository: RepositoryName): boolean {
    return this.#parts.access.decidePull(caller, repository).isAllowed;
  }

  async #record({ principal }: Caller, wish: Wish, reason: string): Promise<void> {
    const { repository, reference } = wish;
    const tag = parseTag(reference ?? '');
    await this.#parts.access.recordRefusal({ principal, repository, tag, reason });
  }

  #refusal(
    decision: Exclude<Decision, { isAllowed: true }>,
    exchange: Exchange,
    caller: Caller,
    scope: WantedScope,
  ): unknown {
    const { code, reason: message } = decision;
    const problem = caller.granted && {
      error: 'insufficient_scope' as const,
      description: message,
    };
    return withChallenge(
      new OciError(code, { message }),
      this.#challenge(exchange, scope, problem),
    );
  }

  #challenge(exchange: Exchange, scope: WantedScope, problem?: TokenProblem): string {
    const { challenge, proxies } = this.#parts;
    const { kind, service, externalUrl } = challenge;
    const realmUrl =
      kind === 'bearer' ? tokenRealm(externalUrl, proxies.clientOf(exchange).origin) : undefined;
    const form =
      realmUrl === undefined
        ? ({ kind: 'basic' } as const)
        : ({ kind: 'bearer', realmUrl, service } as const);
    return challengeOf(form, scope, problem);
  }
}
