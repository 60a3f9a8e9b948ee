import type { DeniedPush, RefusalRecords } from '../meta/records/event-records.ts';
import type { Metrics } from '../metrics.ts';
import { OciError } from '../oci/error.ts';
import { ANONYMOUS, type Principal } from '../oci/principal.ts';
import { type RepositoryName, teamOf } from '../oci/repository-name.ts';
import { toAccessError } from './access-error.ts';
import type { Credential } from './credential.ts';
import { type Identity, InvalidCredential } from './identity.ts';
import type { LoginLimiter } from './login-limiter.ts';
import {
  type Action,
  type Decision,
  decide,
  needsTeams,
  type PolicySettings,
  WRITE_ALL_TRUSTED,
} from './policy.ts';
import { RefusalLimiter } from './refusal-limiter.ts';
import type { RefusedLogins } from './refused-logins.ts';
import type { RegistryTokens } from './registry-token.ts';
import { type Standing, standingOf } from './standing.ts';
import type { RegistryTokenContent } from './token-claims.ts';

/** Says whom a credential stands for, and remembers it for a while. */
export interface CredentialCheck {
  /** What is remembered of it; asks nobody. */
  cached(secret: string): Identity | undefined;
  /** @throws InvalidCredential, IdentityUnavailable */
  check(secret: string): Promise<Identity>;
}

export interface AccessParts {
  readonly settings: PolicySettings;
  readonly tokens: CredentialCheck;
  /** Undefined: instance identity documents are refused. */
  readonly instances: { verify(document: string): Promise<Identity> } | undefined;
  readonly teams: {
    /** @throws IdentityUnavailable */
    teamsOf(identity: Identity, token: string): Promise<ReadonlySet<string>>;
  };
  readonly registryTokens: RegistryTokens;
  readonly limiter: LoginLimiter;
  readonly refusals: Pick<RefusalRecords, 'add'>;
  /** Told of credentials that aren't valid. */
  readonly refusedLogins?: Pick<RefusedLogins, 'tell'> | undefined;
  readonly metrics?: Pick<Metrics, 'tokenCheck'> | undefined;
}

/** Who makes a request. */
export interface Caller {
  readonly principal: Principal;
  /** Undefined: nobody that is known, or known by a registry token alone. */
  readonly identity: Identity | undefined;
  /** What a registry token grants. */
  readonly granted: RegistryTokenContent | undefined;
  /** What the team service is asked with. Secret. */
  readonly token: string;
}

export const NOBODY: Caller = {
  principal: ANONYMOUS,
  identity: undefined,
  granted: undefined,
  token: '',
};
const ALLOWED: Decision = { isAllowed: true };
const NO_TEAMS: ReadonlySet<string> = new Set();

/** Access control: who asks, and what they may do. */
export class Access {
  readonly #parts: AccessParts;
  readonly #refusals = new RefusalLimiter();

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  get settings(): PolicySettings {
    return this.#parts.settings;
  }

  /**
   * @param source the client's address, by which failed logins are limited; asked for where it is needed
   * @throws OciError UNAUTHORIZED, DENIED, TOOMANYREQUESTS, UNAVAILABLE
   */
  async authenticate(credential: Credential, source: () => string): Promise<Caller> {
    const known = this.knownCaller(credential);
    if (known) return known;
    switch (credential.kind) {
      case 'none':
        return NOBODY;
      case 'unusable':
        throw new OciError('UNAUTHORIZED', { message: credential.reason });
      case 'token':
        return this.#ofToken(credential.token, source);
      case 'instance':
        return this.#ofInstance(credential.document, source);
    }
  }

  /** Whom a credential stands for, if nobody has to be asked for that. */
  knownCaller(credential: Credential): Caller | undefined {
    // A registry that protects nothing asks nobody, whatever clients have in their configuration.
    if (!this.settings.isSecured || credential.kind === 'none') return NOBODY;
    return credential.kind === 'token' ? this.#knownByToken(credential.token) : undefined;
  }

  /** @throws OciError UNAVAILABLE when the bearer's teams can't be known now */
  async decide(caller: Caller, action: Action, repository: RepositoryName): Promise<Decision> {
    if (action === 'pull') return this.decidePull(caller, repository);
    const { settings, teams } = this.#parts;
    const { identity } = caller;
    const granted = grantedToSomebody(caller);
    if (granted) return decideByToken(granted, action, repository);
    const teamsOfCaller =
      identity !== undefined && needsTeams(identity, settings)
        ? await teams.teamsOf(identity, caller.token).catch(rethrow)
        : NO_TEAMS;
    const team = teamOf(repository);
    return decide({ action, team, identity, teams: teamsOfCaller }, settings);
  }

  /** That of `decide`: who may pull depends on no team. */
  decidePull(caller: Caller, repository: RepositoryName): Decision {
    const { settings } = this.#parts;
    const granted = grantedToSomebody(caller);
    if (granted && !settings.allowsPublicRead) return decideByToken(granted, 'pull', repository);
    const { identity } = caller;
    const team = teamOf(repository);
    return decide({ action: 'pull', team, identity, teams: NO_TEAMS }, settings);
  }

  /** @throws OciError UNAVAILABLE while the caller's teams can't be known */
  standingOf({ identity, token }: Caller): Promise<Standing> {
    const { settings, teams } = this.#parts;
    return standingOf(identity, { settings, teamsOf: (known) => teams.teamsOf(known, token) });
  }

  /**
   * Writes a refused push to the audit trail.
   * @throws MetadataUnavailable; OciError TOOMANYREQUESTS for who is refused too often to be written down
   */
  async recordRefusal(push: DeniedPush): Promise<void> {
    const { principal, repository, tag } = push;
    const waitMs = this.#refusals.count(principal, `${repository} ${tag ?? ''}`);
    if (waitMs !== undefined) throw tooMany('refused pushes: push where you may, or go on', waitMs);
    await this.#parts.refusals.add(push);
  }

  /** What concerns no repository: lists of them, the audit trail. */
  decideLists(caller: Caller, isPublic: boolean): Decision {
    const { isSecured, allowsPublicRead } = this.settings;
    if (!isSecured || (isPublic && allowsPublicRead)) return ALLOWED;
    const granted = grantedToSomebody(caller);
    if (caller.identity || granted?.mayReadCatalog) return ALLOWED;
    const reason = granted
      ? "the token doesn't cover this: get one with the scope registry:catalog:*"
      : 'authentication required: log in';
    return { isAllowed: false, code: 'UNAUTHORIZED', reason };
  }

  #knownByToken(token: string): Caller | undefined {
    const { registryTokens, tokens } = this.#parts;
    const granted = registryTokens.cached(token);
    if (granted) {
      this.#count('registry-token', 'valid');
      return callerOf(granted);
    }
    const identity = tokens.cached(token);
    if (!identity) return undefined;
    this.#count('cache', 'valid');
    return callerWith(identity, token);
  }

  async #ofToken(token: string, source: () => string): Promise<Caller> {
    const { registryTokens, tokens } = this.#parts;
    if (!registryTokens.recognizes(token)) {
      return this.#ofSecret((one) => tokens.check(one), token, source());
    }
    const verified = this.#counted('registry-token', registryTokens.verify(token));
    return callerOf(await verified.catch(rethrow));
  }

  async #ofInstance(document: string, source: () => string): Promise<Caller> {
    const { instances } = this.#parts;
    if (instances) return this.#ofSecret((one) => instances.verify(one), document, source());
    throw new OciError('UNAUTHORIZED', {
      message: 'this registry takes no instance identity documents: use an OAuth 2 token',
    });
  }

  async #ofSecret(
    verify: (secret: string) => Promise<Identity>,
    secret: string,
    source: string,
  ): Promise<Caller> {
    const { limiter } = this.#parts;
    const waitMs = limiter.retryAfterMs(source, secret);
    if (waitMs !== undefined) throw tooMany('failed logins: log in with a valid token', waitMs);
    const verified = this.#counted('provider', verify(secret));
    const identity = await verified.catch(async (error: unknown) => {
      // A client that goes on with the same credential is told of once in a while.
      if (error instanceof InvalidCredential && limiter.failed(source, secret)) {
        await this.#parts.refusedLogins?.tell(source, error.message);
      }
      return rethrow(error);
    });
    limiter.succeeded(source, secret);
    return callerWith(identity, secret);
  }

  async #counted<T>(source: string, check: Promise<T>): Promise<T> {
    try {
      const known = await check;
      this.#count(source, 'valid');
      return known;
    } catch (error) {
      this.#count(source, error instanceof InvalidCredential ? 'invalid' : 'unavailable');
      throw error;
    }
  }

  #count(source: string, outcome: string): void {
    this.#parts.metrics?.tokenCheck(source, outcome);
  }
}

function callerWith(identity: Identity, token: string): Caller {
  return { principal: identity.principal, identity, granted: undefined, token };
}

function callerOf(granted: RegistryTokenContent): Caller {
  return { principal: granted.principal, identity: undefined, granted, token: '' };
}

/** The token of nobody grants what everyone may do now, whatever everyone could do when it was made. */
function grantedToSomebody({ granted }: Caller): RegistryTokenContent | undefined {
  return granted?.kind === 'anonymous' ? undefined : granted;
}

function decideByToken(
  granted: RegistryTokenContent,
  action: Action,
  repository: RepositoryName,
): Decision {
  const actions = granted.access.get(repository);
  if (actions?.has(action)) return ALLOWED;
  const isOnlySourceMissing = action === 'push-with-source' && actions?.has('push');
  const reason = isOnlySourceMissing
    ? `X-SCM-Source is for services whose token has the scope ${WRITE_ALL_TRUSTED}: push without the header`
    : granted.refused.get(`${repository} ${action === 'pull' ? 'pull' : 'push'}`);
  if (reason !== undefined) {
    return { isAllowed: false, code: 'DENIED', reason };
  }
  return {
    isAllowed: false,
    code: 'UNAUTHORIZED',
    reason: `the token doesn't cover this: get one for ${repository} with the action ${action}`,
  };
}

function tooMany(what: string, waitMs: number): OciError {
  const seconds = String(Math.ceil(waitMs / 1000));
  return new OciError('TOOMANYREQUESTS', {
    message: `too many ${what} in ${seconds} s`,
    headers: { 'Retry-After': seconds },
  });
}

function rethrow(error: unknown): never {
  throw toAccessError(error);
}
