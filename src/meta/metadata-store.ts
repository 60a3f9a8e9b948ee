import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import type { ManifestMediaType } from '../oci/media-type.ts';
import type { Page } from '../oci/page.ts';
import type { Principal } from '../oci/principal.ts';
import type { Tag } from '../oci/reference.ts';
import type { Referrer } from '../oci/referrer.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { FoundScmSource, ScmFinding, ScmReport, ScmSource } from '../oci/scm-source.ts';
import type { OutboxRecords } from './outbox-records.ts';

/** The database can't be asked, or did not answer. Nothing is known of what was in flight. */
export class MetadataUnavailable extends Error {
  override readonly name = 'MetadataUnavailable';
  /** False: it refuses us, and only an operator can change that. */
  readonly mayPass: boolean;

  constructor(message: string, { mayPass = true, ...options }: ErrorOptions & Passing = {}) {
    super(message, options);
    this.mayPass = mayPass;
  }
}

interface Passing {
  readonly mayPass?: boolean;
}

/** A run of a blob's or an upload's bytes: one object in the store, written once. */
export interface Segment {
  readonly key: string;
  readonly sizeBytes: number;
}

/**
 * What is known of the digest of an upload's first `offset` bytes.
 * `digest` is their digest; `state` lets a digest engine go on from there. Either may be missing.
 */
export interface DigestCheckpoint {
  readonly digest: Digest | undefined;
  readonly engine: string | undefined;
  readonly state: Uint8Array | undefined;
}

export interface UploadSession {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly algorithm: DigestAlgorithm;
  /** Bytes that are stored and committed. */
  readonly offset: number;
  readonly checkpoint: DigestCheckpoint;
  readonly segments: readonly Segment[];
  /** Set when the closing PUT was committed: the blob that the upload became. */
  readonly finished: Digest | undefined;
}

export interface BlobRecord {
  readonly sizeBytes: number;
  readonly segments: readonly Segment[];
}

export interface FragmentedBlob {
  readonly digest: Digest;
  readonly segments: readonly Segment[];
}

export interface ManifestRecord {
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  /** Exactly as they were pushed. */
  readonly bytes: Uint8Array;
}

/** A tag as it stands. */
export interface TagRecord {
  readonly digest: Digest;
  /** True: it will never name another digest. */
  readonly isImmutable: boolean;
}

/** A page of a repository's tags. */
export interface TagList {
  /** Sorted by bytes. */
  readonly names: readonly string[];
  /** Another one since the repository got a tag: the same page of the same version has the same names. */
  readonly version: string;
}

export interface ManifestPush {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  /** All are set, or none. */
  readonly tags: readonly Tag[];
  readonly principal: Principal;
  /** Of the tags: what the header of the push says. A tag that has one, and stays as it is, keeps its own. */
  readonly scmSource: ScmSource | undefined;
}

export type ManifestPushResult =
  | { readonly kind: 'stored' }
  /** The tags that may not be set so; their refusal is committed as tag events, and nothing else is. */
  | { readonly kind: 'refused'; readonly refusals: readonly { tag: Tag; message: string }[] }
  /** Blobs or manifests that the repository doesn't have. */
  | { readonly kind: 'missing'; readonly digests: readonly Digest[] };

export interface UploadRecords {
  create(session: {
    id: string;
    repository: RepositoryName;
    algorithm: DigestAlgorithm;
    principal: Principal;
    expiresAfterMs: number;
  }): Promise<void>;
  find(repository: RepositoryName, id: string): Promise<UploadSession | undefined>;
  /**
   * Adds a closed segment: offset += its size, provided that the offset still is `expectedOffset` and the segment's
   * object isn't being deleted.
   * @returns false when it is not, and nothing is changed.
   */
  append(
    id: string,
    expectedOffset: number,
    segment: Segment,
    checkpoint: DigestCheckpoint,
    expiresAfterMs: number,
  ): Promise<boolean>;
  /**
   * The closing PUT, in one transaction: blob and segments (or the existing blob, the new objects going to the
   * deletion list), the link to the repository, the upload as finished.
   * @returns false when the upload no longer is open at the session's offset, and nothing is changed.
   */
  finish(session: UploadSession, digest: Digest, keepForMs: number): Promise<boolean>;
  /**
   * The same at once, for an upload all of whose bytes are known to have the digest.
   * @param lockName a lock that nobody may hold meanwhile
   * @returns the number of bytes; undefined when it isn't so, and nothing is changed
   */
  close(
    repository: RepositoryName,
    id: string,
    digest: Digest,
    keepForMs: number,
    lockName: string,
  ): Promise<number | undefined>;
  /** Removes an open upload; its objects go to the deletion list. @returns false when there was none. */
  discard(repository: RepositoryName, id: string): Promise<boolean>;
  /** Removes up to `limit` uploads whose time is over, objects to the deletion list. @returns how many. */
  expire(limit: number): Promise<number>;
}

export interface BlobRecords {
  /** The blob, if the repository links it. */
  find(repository: RepositoryName, digest: Digest): Promise<BlobRecord | undefined>;
  /** Links a blob that `from` links to `to` also. @returns false when `from` doesn't link it. */
  mount(digest: Digest, from: RepositoryName, to: RepositoryName): Promise<boolean>;
  /** Up to `limit` blobs of several segments, by digest, those behind `after`. */
  fragmented(limit: number, after: Digest | undefined): Promise<FragmentedBlob[]>;
  /**
   * Makes `joined` the blob's only segment, provided that it still has those of `blob` and the new object isn't being
   * deleted. The replaced objects go to the deletion list, where their time begins `keepMs` from now.
   * @returns false when nothing is changed.
   */
  join(blob: FragmentedBlob, joined: Segment, keepMs: number): Promise<boolean>;
}

export interface ManifestRecords {
  push(push: ManifestPush): Promise<ManifestPushResult>;
  find(repository: RepositoryName, digest: Digest): Promise<ManifestRecord | undefined>;
  /** `latest` finds the newest immutable tag. */
  findTag(repository: RepositoryName, tag: Tag): Promise<TagRecord | undefined>;
  /** Undefined when the repository doesn't exist. */
  listTags(repository: RepositoryName, page: Page): Promise<TagList | undefined>;
  /** That of `listTags`, without the names: costs the same however many there are. */
  tagsVersion(repository: RepositoryName): Promise<string | undefined>;
  /**
   * Manifests whose subject is `subject`, and those that an index under its referrers tag lists, oldest first; `page.last` is the digest of the last one seen. A page ends
   * early where the manifests on it are large.
   */
  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<{ referrers: Referrer[]; hasMore: boolean }>;
  /** Repositories that have a manifest, sorted by bytes. */
  listRepositories(page: Page): Promise<string[]>;
}

/** A blob to look for a source in, and its claim. */
export interface ScmScan {
  readonly digest: Digest;
  readonly segments: readonly Segment[];
  /** This one included. */
  readonly attempts: number;
}

/** What the source of an image was found to be in a given time. */
export interface TimelyScmSource {
  /** False: more may be found in time. True: the answer is the same from now on. */
  readonly isDecided: boolean;
  readonly source: FoundScmSource | undefined;
}

/** Sources of images: what was found, and where it is to be looked for. */
export interface ScmSourceRecords {
  /** `latest` means the newest immutable tag. @returns undefined when there is no such tag */
  ofTag(repository: RepositoryName, tag: Tag): Promise<ScmReport | undefined>;
  /** Of those tags that exist, by their names; `latest` is a name like any other here. */
  ofTags(repository: RepositoryName, tags: readonly Tag[]): Promise<Map<string, ScmReport>>;
  /** Without the headers of tags. @returns undefined when the repository doesn't have the manifest */
  ofManifest(repository: RepositoryName, digest: Digest): Promise<ScmReport | undefined>;
  /**
   * The source of what was pushed as a tag, of all that was found until then, by the database's clock. The tag may
   * name something else by now: then the header of its push, which went with it, is no part of it.
   */
  foundInTime(
    repository: RepositoryName,
    tag: Tag,
    digest: Digest,
    until: Date,
  ): Promise<TimelyScmSource>;
  /**
   * Claims the smallest blob of more than `overBytes` and up to `upToBytes` that is due and nobody else has claimed,
   * for so long.
   */
  claimScan(overBytes: number, upToBytes: number, claimMs: number): Promise<ScmScan | undefined>;
  /** The claim lasts so long from now. */
  renewClaim(digest: Digest, claimMs: number): Promise<void>;
  /** The scan is over, with what it found, if anything. */
  endScan(
    digest: Digest,
    found: { readonly origin: 'file' | 'label'; readonly finding: ScmFinding } | undefined,
  ): Promise<void>;
  /** The scan is over: it won't be tried again. */
  failScan(digest: Digest, reason: string): Promise<void>;
  /** Gives the claim back. The scan is due in so long; an attempt that `counts` is one of a few. */
  postponeScan(digest: Digest, forMs: number, counts: boolean): Promise<void>;
}

/** Rows of a list, some at a time. */
export type Batches<T> = AsyncIterable<readonly T[]>;

/** A part of a sorted list: what is behind `after`. Without `limit` it is all of one snapshot, whatever its length. */
export interface Part<Key> {
  readonly after: Key | undefined;
  readonly limit: number | undefined;
}

/** A tag as lists show it. */
export interface TagSummary {
  readonly name: string;
  readonly created: Date;
  readonly createdBy: string;
  /** The config's digest where the tag names an image, else the digest that it names. */
  readonly image: Digest;
}

export interface TagDetails extends TagSummary {
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  readonly mutability: 'immutable' | 'mutable' | 'append-only';
  /** All layers together, those of an index's images too, each once. */
  readonly layersBytes: number;
}

/** A repository that a search found, and the part of its name that begins with what was searched. */
export interface FoundRepository {
  readonly name: string;
  readonly word: string;
}

export interface NamedTag {
  readonly repository: string;
  readonly tag: string;
}

export interface TeamStatistics {
  readonly team: string;
  readonly artifacts: number;
  readonly tags: number;
}

export interface TagListChoice {
  readonly hasSignatures: boolean;
  /** Else oldest first. */
  readonly isNewestFirst: boolean;
}

/** What people look for. Lists have what has a tag; signature tags count where `hasSignatures` says so. */
export interface CatalogRecords {
  /** Sorted by bytes, as all lists whose key is a name. */
  listTeams(part: Part<string>): Batches<string>;
  listArtifacts(team: string, part: Part<string>): Batches<string>;
  listTags(
    repository: RepositoryName,
    choice: TagListChoice,
    part: Part<Date>,
  ): Batches<TagSummary>;
  /** `latest` finds the newest immutable tag. */
  findTag(repository: RepositoryName, tag: Tag): Promise<TagDetails | undefined>;
  /** Repositories whose name has `text` at the beginning of a word; sorted by what begins with it. */
  search(text: string, part: Part<FoundRepository>): Batches<FoundRepository>;
  /** Names of repositories whose team or artifact is `name`. */
  listNamesakes(name: string): Batches<string>;
  /** Up to `limit` images that have a tag and whose manifest's, index's or config's digest begins with the prefix. */
  findImages(prefix: string, hasSignatures: boolean, limit: number): Promise<Digest[]>;
  /** The tags of what `findImages` finds; an index has those of its children, too. */
  listTagsOfImages(prefix: string, hasSignatures: boolean, part: Part<NamedTag>): Batches<NamedTag>;
}

export interface StatisticsRecords {
  /** Bytes of all blobs; undefined when there is none. */
  overall(): Promise<{ teams: number; storageBytes: number | undefined }>;
  team(team: string, hasSignatures: boolean): Promise<TeamStatistics>;
  listTeams(hasSignatures: boolean, part: Part<string>): Batches<TeamStatistics>;
}

export type TagEventKind = 'created' | 'replaced' | 'refused' | 'denied';

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

/**
 * Objects that no row names any more, and those that are to be deleted. A key on the list that a row comes to name
 * leaves it, unless a sweep has claimed it: then the row is refused.
 */
export interface DeletionRecords {
  /** Claims up to `limit` keys that no row names and that were on the list for at least `graceMs`. */
  claimDue(graceMs: number, limit: number): Promise<string[]>;
  /** Takes keys off the list, after the store has deleted their objects. */
  done(keys: readonly string[]): Promise<void>;
  /** Puts those keys on the list that nothing names; their time on it begins `fromNowMs` from now. */
  addUnknown(keys: readonly string[], fromNowMs: number): Promise<void>;
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

/** A secret that signs registry tokens. */
export interface TokenKeyRecord {
  readonly id: string;
  readonly secret: Uint8Array;
  /** By the database's clock, when the question was asked. */
  readonly ageMs: number;
}

/** The keys of registry tokens, shared by all instances; their ages are by the database's clock. */
export interface TokenKeyRecords {
  /** All keys, the newest first. */
  list(): Promise<TokenKeyRecord[]>;
  /** Adds a key of this secret, unless there is one that is younger than `afterMs`: one, however many ask. */
  addIfDue(secret: Uint8Array, afterMs: number): Promise<void>;
  /** Removes the keys whose successor is at least so old. */
  removeOutlived(successorAgeMs: number): Promise<void>;
}

/** Exclusive locks shared by all instances; they end when the instance that holds them dies. */
export interface Locks {
  /** @returns undefined when someone else holds it. */
  tryAcquire(name: string): Promise<HeldLock | undefined>;
  /** True when someone, this instance included, holds it. */
  isHeld(name: string): Promise<boolean>;
  /** Stands for each lock that someone holds now, but for that of this name. */
  heldBut(name: string): Promise<Set<string>>;
}

export interface HeldLock {
  /** False once it was released, or its connection was lost. */
  readonly isHeld: boolean;
  /** Harmless when called twice. Never throws: a lock that can't be given back ends with its connection. */
  release(): Promise<void>;
}

/**
 * The truth about tags, manifests, blobs and uploads. Every method throws MetadataUnavailable when the database
 * is down; each is one transaction, committed when its promise resolves.
 */
export interface MetadataStore {
  readonly uploads: UploadRecords;
  readonly blobs: BlobRecords;
  readonly manifests: ManifestRecords;
  readonly catalog: CatalogRecords;
  readonly statistics: StatisticsRecords;
  readonly events: EventRecords;
  readonly deletions: DeletionRecords;
  readonly refusals: RefusalRecords;
  readonly tokenKeys: TokenKeyRecords;
  readonly scmSources: ScmSourceRecords;
  readonly outbox: OutboxRecords;
  readonly locks: Locks;
  /** True while no row names an object of the blob store. */
  isEmpty(): Promise<boolean>;
  /** The registry's id, made with the schema; the blob store must carry the same. */
  registryId(): Promise<string>;
  close(): Promise<void>;
}
