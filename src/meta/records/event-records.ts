import type { Digest } from '../../oci/digest.ts';
import type { Principal } from '../../oci/principal.ts';
import type { Tag } from '../../oci/reference.ts';
import type { RegistryEventKind } from '../../oci/registry-event.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { Batches, Part } from './catalog-records.ts';

export type TagEventKind = Exclude<RegistryEventKind, 'login-refused'>;

/** Which events; what is undefined doesn't matter. */
export interface TagEventFilter {
  readonly team?: string | undefined;
  readonly repository?: string | undefined;
  readonly tag?: string | undefined;
  readonly kind?: TagEventKind | undefined;
  readonly uid?: string | undefined;
  /** From then on. */
  readonly since?: Date | undefined;
  /** Before then. */
  readonly until?: Date | undefined;
}

export interface TagEvent {
  /** Rises with time. */
  readonly id: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly kind: TagEventKind;
  /** What the tag names since then, or should have named. */
  readonly digest: Digest | undefined;
  readonly previousDigest: Digest | undefined;
  readonly reason: string | undefined;
  readonly uid: string;
  readonly realm: string | undefined;
  readonly issuer: string | undefined;
  readonly happened: Date;
  /** How often it happened; the same refusal is counted. */
  readonly repetitions: number;
  readonly lastHappened: Date;
}

/** The audit trail; it only grows. */
export interface EventRecords {
  /**
   * By id; downwards from the newest where `isNewestFirst`. A list ends below what running transactions may still
   * add, so whoever goes on behind the last event that it read misses none.
   */
  list(filter: TagEventFilter, isNewestFirst: boolean, part: Part<string>): Batches<TagEvent>;
}

/** A push that access control refused. */
export interface DeniedPush {
  readonly principal: Principal;
  readonly repository: RepositoryName;
  /** Undefined: a push of a blob, or of a manifest by digest. */
  readonly tag: Tag | undefined;
  readonly reason: string;
}

/** The part of the audit trail that access control writes. Repeated refusals are counted in one row. */
export interface RefusalRecords {
  add(push: DeniedPush): Promise<void>;
  /** Tells sinks of a credential that isn't valid; it isn't part of the audit trail. */
  addLogin(login: RefusedLogin): Promise<void>;
}

/** A credential that was presented, and isn't valid. */
export interface RefusedLogin {
  readonly principal: Principal;
  readonly reason: string;
}
