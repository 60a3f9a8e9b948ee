import type { Action } from '../auth/policy.ts';
import { OciError } from '../oci/error.ts';
import type { RepositoryName } from '../oci/repository-name.ts';

/** How clients are asked to log in. */
export type ChallengeForm =
  | { readonly kind: 'basic' }
  /** By a token of `realmUrl`, made for `service`. */
  | { readonly kind: 'bearer'; readonly realmUrl: string; readonly service: string };

/** What a token must allow for the request; undefined: any will do. */
export type WantedScope =
  | { readonly repository: RepositoryName; readonly actions: readonly ('pull' | 'push')[] }
  | 'catalog'
  | undefined;

/** What is wrong with the token that was given (RFC 6750, section 3.1). */
export interface TokenProblem {
  readonly error: 'invalid_token' | 'insufficient_scope';
  /** A sentence. docker shows it and not the one in the body; without it, only that access is denied. */
  readonly description?: string | undefined;
}

/** The original's words, by which docker keeps credentials apart. */
const BASIC = 'Basic realm="Pier One Docker Registry"';

/** The value of WWW-Authenticate (RFC 9110, section 11.6.1; distribution's token authentication specification). */
export function challengeOf(
  form: ChallengeForm,
  wanted?: WantedScope,
  problem?: TokenProblem,
): string {
  if (form.kind === 'basic') return BASIC;
  const parameters = {
    realm: form.realmUrl,
    service: form.service,
    scope: wanted && scopeOf(wanted),
    error: problem?.error,
    error_description: problem?.description,
  };
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${quotable(value)}"`],
  );
  return `Bearer ${written.join(',')}`;
}

/** Every 401 says how to log in; other errors are given back as they are. */
export function withChallenge(error: unknown, challenge: string): unknown {
  if (!(error instanceof OciError) || error.code !== 'UNAUTHORIZED') return error;
  const { message, cause } = error;
  return new OciError('UNAUTHORIZED', {
    message,
    cause,
    headers: { 'WWW-Authenticate': challenge },
  });
}

/**
 * Where tokens are given: on the registry's own host, by its external origin, or else as the client calls it.
 * @param clientOrigin what the client wrote, with the scheme: not believed where it isn't plainly a host
 * @returns undefined when neither is known: only Basic is possible then
 */
export function tokenRealm(
  externalOrigin: string | undefined,
  clientOrigin: string | undefined,
): string | undefined {
  const origin =
    externalOrigin ??
    (clientOrigin !== undefined && isPlain(clientOrigin) ? clientOrigin : undefined);
  return origin === undefined ? undefined : `${origin}/token`;
}

/** Whoever pushes reads, too. */
export function scopeFor(repository: RepositoryName, action: Action): WantedScope {
  return { repository, actions: action === 'pull' ? ['pull'] : ['pull', 'push'] };
}

function scopeOf(wanted: NonNullable<WantedScope>): string {
  if (wanted === 'catalog') return 'registry:catalog:*';
  return `repository:${wanted.repository}:${wanted.actions.join(',')}`;
}

const LABEL = '[a-z\\d](?:[a-z\\d-]{0,61}[a-z\\d])?';
const PLAIN_ORIGIN = new RegExp(
  `^https?://(?:${LABEL}(?:\\.${LABEL})*\\.?|\\[[\\da-f:.]+\\])(?::\\d{1,5})?$`,
);

/** An origin that is read as it is written: no name of odd characters, no number that means an address. */
function isPlain(origin: string): boolean {
  if (!PLAIN_ORIGIN.test(origin) || !URL.canParse(origin)) return false;
  const { hostname } = new URL(origin);
  const [, written] = /^https?:\/\/(\[.*\]|[^:]*)/.exec(origin) ?? [];
  return hostname === written || hostname.startsWith('[');
}

/** What may stand in a quoted string; a quote and a backslash would need an escape that not every client reads. */
function quotable(text: string): string {
  return text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?');
}
