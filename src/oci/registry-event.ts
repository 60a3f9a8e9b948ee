import type { Digest } from './digest.ts';
import type { Principal } from './principal.ts';
import type { Tag } from './reference.ts';
import type { RepositoryName } from './repository-name.ts';

/**
 * `created`, `replaced`, `refused` (an overwrite) and `denied` (a push without the right to) are those of the audit
 * trail; `login-refused` is a credential that was given and isn't valid.
 */
export const REGISTRY_EVENT_KINDS = [
  'created',
  'replaced',
  'refused',
  'denied',
  'login-refused',
] as const;
export type RegistryEventKind = (typeof REGISTRY_EVENT_KINDS)[number];

/** What happened, as it was written in the transaction that did it. */
export interface RegistryEvent {
  /** Unique for ever and the same in each delivery: by it receivers drop doubles. A UUID. */
  readonly id: string;
  readonly kind: RegistryEventKind;
  readonly happened: Date;
  /** Whoever did it; of a refused login whom it named, or `anonymous`. */
  readonly principal: Principal;
  /** All but refused logins have one. */
  readonly repository?: RepositoryName | undefined;
  readonly tag?: Tag | undefined;
  readonly digest?: Digest | undefined;
  /** What the tag pointed at before, or still does. */
  readonly previousDigest?: Digest | undefined;
  /** The manifest's, of `created` and `replaced`. */
  readonly mediaType?: string | undefined;
  /** The manifest's bytes, of `created` and `replaced`. */
  readonly sizeBytes?: number | undefined;
  /** Why it was refused: a sentence. */
  readonly reason?: string | undefined;
}
