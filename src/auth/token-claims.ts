import { z } from 'zod';
import { ANONYMOUS, type Principal } from '../oci/principal.ts';
import type { Identity } from './identity.ts';
import type { Action } from './policy.ts';

/** What a token lets its bearer do; the form of a token's `access` claim. */
export type Grant =
  | {
      readonly type: 'repository';
      readonly name: string;
      readonly actions: readonly Action[];
    }
  | { readonly type: 'registry'; readonly name: 'catalog'; readonly actions: readonly ['*'] };

/** What was asked for and not granted; a push with the token is refused with the reason. */
export interface Refusal {
  readonly name: string;
  readonly action: Action;
  /** A sentence for the bearer. */
  readonly reason: string;
}

/** Whom a token was made for. */
export type BearerKind = Identity['kind'] | 'anonymous';

/** What a verified registry token says. */
export interface RegistryTokenContent {
  readonly principal: Principal;
  readonly kind: BearerKind;
  /** By the repository's name. */
  readonly access: ReadonlyMap<string, ReadonlySet<Action>>;
  readonly mayReadCatalog: boolean;
  /** Reasons by `name action`. */
  readonly refused: ReadonlyMap<string, string>;
  /** In ms since 1970. */
  readonly expires: number;
}

const ACTION = z.enum(['pull', 'push', 'push-with-source']);

const GRANT: z.ZodType<Grant> = z.union([
  z.object({
    type: z.literal('repository'),
    name: z.string(),
    actions: z.array(ACTION),
  }),
  z.object({
    type: z.literal('registry'),
    name: z.literal('catalog'),
    actions: z.tuple([z.literal('*')]),
  }),
]);

/** The claims of a token, but for those that every JWT has. */
const CLAIMS = z.object({
  sub: z.string(),
  kind: z.enum(['oauth', 'instance', 'anonymous']),
  realm: z.string().optional(),
  issuer: z.string().optional(),
  claims: z.record(z.string(), z.string()).optional(),
  access: z.array(GRANT),
  refused: z.array(z.object({ name: z.string(), action: ACTION, reason: z.string() })),
  exp: z.number(),
});

/** The claims that say who bears the token. */
export function bearerClaims(subject: Identity | 'anonymous') {
  if (subject === 'anonymous') return { sub: ANONYMOUS.uid, kind: 'anonymous' as const };
  const { uid, realm, issuer, claims } = subject.principal;
  return { sub: uid, kind: subject.kind, realm, issuer, claims };
}

/** @returns undefined when the payload isn't one of ours */
export function readClaims(payload: unknown): RegistryTokenContent | undefined {
  const { data } = CLAIMS.safeParse(payload);
  if (!data) return undefined;
  const { sub, kind, realm, issuer, claims, access, refused, exp } = data;
  return {
    principal: kind === 'anonymous' ? ANONYMOUS : { uid: sub, realm, issuer, claims },
    kind,
    access: new Map(
      access.flatMap((grant) =>
        grant.type === 'repository' ? [[grant.name, new Set(grant.actions)] as const] : [],
      ),
    ),
    mayReadCatalog: access.some(({ type }) => type === 'registry'),
    refused: new Map(refused.map(({ name, action, reason }) => [`${name} ${action}`, reason])),
    expires: exp * 1000,
  };
}
